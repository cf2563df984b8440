"""`rescue restore` and `rescue salvage`."""

import click

from rescue.cli.options import carry_out, expect_a_name
from rescue.commands import restore as restore_command
from rescue.commands import salvage as salvage_command


@click.command()
@click.option(
    "--from",
    "origin",
    default="",
    metavar="DISK|PARTITION|IMAGE",
    help="Where to take the files from (default: the dead disk, found by its recorded identity).",
)
@click.option(
    "--tree", "trees", multiple=True, metavar="PATH", help="Folder to bring back (default: /home)."
)
@click.option("--keep-replaced", is_flag=True, help="Set aside every file that is replaced.")
@click.option("--keep-losers", "old_name", is_flag=True, hidden=True)
@click.option("--dry-run", is_flag=True, help="Show what would be brought back, then stop.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print the plan as JSON.")
@click.option("--yes", is_flag=True, help="Ask no questions; needs --expect-serial.")
@click.option(
    "--expect-serial", default="", help="Identity of the dead disk, or path of the image."
)
@click.option(
    "--report", default="", metavar="FILE", help="Write the report to FILE.json and FILE.txt."
)
def restore(
    *,
    origin: str,
    trees: tuple[str, ...],
    keep_replaced: bool,
    old_name: bool,
    dry_run: bool,
    as_json: bool,
    yes: bool,
    expect_serial: str,
    report: str,
) -> None:
    """Bring the users' files back from the dead disk onto the running mirror.

    Nothing is deleted, no file that is newer here is replaced, and nothing is written to the dead
    disk.
    """
    if old_name:
        click.echo("'--keep-losers' is called '--keep-replaced' now", err=True)
    expect_a_name(yes=yes, serial=expect_serial)
    options = restore_command.RestoreOptions(
        origin=origin,
        trees=trees,
        keep_replaced=keep_replaced or old_name,
        expected=expect_serial,
        ask=not yes,
        report=report,
    )
    if dry_run:
        carry_out(lambda screen: restore_command.show(options, screen, as_json=as_json), shows=True)
    else:
        carry_out(lambda screen: restore_command.restore(options, screen), loud=yes)


@click.command()
@click.argument("disk")
@click.option(
    "--to",
    required=True,
    metavar="FILE",
    help="The image to write; FILE.map records what could not be read.",
)
def salvage(*, disk: str, to: str) -> None:
    """Copy a dying DISK to an image with GNU ddrescue; run again to continue."""
    carry_out(lambda screen: salvage_command.salvage(disk, to, screen))
