"""The command `rescue`: the entry point, and its verbs."""

import os
import sys

import click

import rescue
from rescue.cli.verbs import Verbs
from rescue.ui.outlet import outlets


@click.group(
    commands=Verbs(),
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(rescue.__version__, prog_name="rescue")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def cli(context: click.Context, *, debug: bool) -> None:
    """Keep a second disk that boots: prepare it once, mirror onto it every night.

    Without a command, on a terminal: the wizard.
    """
    context.obj = debug
    if context.invoked_subcommand is None:
        # Loaded when it is wanted, as every verb is.
        from rescue.cli.wizard import without_a_verb

        without_a_verb(context)


def main() -> None:
    """Start here: `rescue` on the command line."""
    # What GRUB and the initramfs tools write gets the modes of a system, whoever called us; our
    # own state files name their modes themselves.
    os.umask(0o022)
    with outlets():
        try:
            cli()
        except Exception as error:  # beside a command: in its import, in one of its options
            from rescue.cli import outcome
            from rescue.ui.screen import Screen

            sys.exit(outcome.tell(error, Screen(), debug="--debug" in sys.argv[1:]))
