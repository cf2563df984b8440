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
    help="Folder for the temporary disks; the new disk receives a full copy of the system.",
)
@click.option(
    "--time-limit",
    "minutes",
    type=click.FloatRange(min=1.0),
    default=120.0,
    show_default=True,
    metavar="MINUTES",
    help="Stop the rehearsal, as failed, if it takes longer.",
)
@accel_option
@click.option("--dry-run", is_flag=True, help="Show what would be rehearsed, then stop.")
@click.option("--show", "last", is_flag=True, help="Show the latest rehearsal.")
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
    """Rehearse the death of the first disk with the mirror NAME, in virtual machines.

    The rescue medium starts the mirror, the homes come back from the dead disk, and an empty disk
    becomes the first disk and starts on its own, all on temporary copies. No real disk is written
    to. Without NAME: the attached mirror that has waited longest.
    """
    if dry_run and last:
        raise click.UsageError("--dry-run and --show cannot be used together")
    options = drill_command.DrillOptions(
        name=name, work_dir=work_dir, minutes=minutes, accel=accel, as_json=as_json
    )
    if last:
        carry_out(lambda screen: drill_command.show_last(options, screen), shows=True)
    elif dry_run:
        carry_out(lambda screen: drill_command.show_plan(options, screen), shows=True)
    else:
        carry_out(lambda screen: drill_command.drill(options, screen), loud=True)
