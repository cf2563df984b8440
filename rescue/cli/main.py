"""Start here: the command `rescue` and its verbs."""

import os

import click

import rescue
from rescue.cli.disks import disks
from rescue.cli.media import media
from rescue.cli.mirrors import audit, failback, mirror, prepare
from rescue.cli.restore import restore, salvage
from rescue.cli.rotation import mirrors
from rescue.cli.schedule import schedule
from rescue.cli.status import notify, status
from rescue.cli.wizard import without_a_verb, wizard


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(rescue.__version__, prog_name="rescue")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def cli(context: click.Context, *, debug: bool) -> None:
    """Keep a second disk that boots: prepare it once, mirror onto it every night.

    On a terminal, without a command: the wizard.
    """
    context.obj = debug
    if context.invoked_subcommand is None:
        without_a_verb(context)


cli.add_command(wizard)
cli.add_command(disks)
cli.add_command(prepare)
cli.add_command(mirror)
cli.add_command(mirrors)
cli.add_command(audit)
cli.add_command(status)
cli.add_command(schedule)
cli.add_command(media)
cli.add_command(restore)
cli.add_command(salvage)
cli.add_command(failback)
cli.add_command(notify)


def main() -> None:
    """Start here: `rescue` on the command line."""
    # What GRUB and the initramfs tools write gets the modes of a system, whoever called us; our
    # own state files name their modes themselves.
    os.umask(0o022)
    cli()
