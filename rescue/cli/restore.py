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
    help="Where the files come from (default: the dead disk, by its recorded identity).",
)
@click.option(
    "--tree", "trees", multiple=True, metavar="PATH", help="What comes back (default: /home)."
)
@click.option("--keep-replaced", is_flag=True, help="Put aside every file that is replaced.")
@click.option("--keep-losers", "old_name", is_flag=True, hidden=True)
@click.option("--dry-run", is_flag=True, help="Show what would come back and stop there.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print the plan as JSON.")
@click.option("--yes", is_flag=True, help="Ask nothing; needs --expect-serial.")
@click.option(
    "--expect-serial", default="", help="The identity of the dead disk, or the image's path."
)
@click.option("--report", default="", metavar="FILE", help="Write FILE.json and FILE.txt.")
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
    """Bring the users' files back from the dead disk onto the mirror that runs now.

    Nothing is deleted, nothing that is newer here is replaced, and nothing is written to the dead
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
@click.option("--to", required=True, metavar="FILE", help="The image; its map is FILE.map.")
def salvage(*, disk: str, to: str) -> None:
    """Image a dying DISK into FILE with GNU ddrescue; run again, it goes on."""
    carry_out(lambda screen: salvage_command.salvage(disk, to, screen))
