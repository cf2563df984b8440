"""`rescue drill`."""

from pathlib import Path

import click

from rescue.cli.options import accel_option, carry_out
from rescue.commands import drill as drill_command
from rescue.model.virtual import Accel

_A_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True)


@click.command()
@click.argument("name", default="")
@click.option(
    "--work-dir",
    type=_A_FOLDER,
    default=drill_command.ROOMY,
    show_default=True,
    help="Where the throw-away disks lie; the new one gets a whole copy.",
)
@click.option(
    "--time-limit",
    "minutes",
    type=click.FloatRange(min=1.0),
    default=120.0,
    show_default=True,
    metavar="MINUTES",
    help="End the rehearsal, as failed, when it takes longer.",
)
@accel_option
@click.option("--dry-run", is_flag=True, help="Show what would be played and stop there.")
@click.option("--show", "last", is_flag=True, help="Show the newest filed rehearsal.")
@click.option("--json", "as_json", is_flag=True, help="Print the result (or plan) as JSON.")
def drill(
    *,
    name: str,
    work_dir: Path,
    minutes: float,
    accel: Accel | None,
    dry_run: bool,
    last: bool,
    as_json: bool,
) -> None:
    """Rehearse the night of the dead disk with the mirror NAME, in virtual machines.

    The rescue medium starts the mirror, the homes come back from the dead disk, an empty disk
    becomes the first one and starts alone: all of it on throw-away copies. No byte of a real disk
    is written. Without NAME: with the attached mirror that waited longest.
    """
    if dry_run and last:
        raise click.UsageError("--dry-run and --show contradict each other")
    options = drill_command.DrillOptions(
        name=name, work_dir=work_dir, minutes=minutes, accel=accel, as_json=as_json
    )
    if last:
        carry_out(lambda screen: drill_command.show_last(options, screen), shows=True)
    elif dry_run:
        carry_out(lambda screen: drill_command.show_plan(options, screen), shows=True)
    else:
        carry_out(lambda screen: drill_command.drill(options, screen), loud=True)
