"""`rescue schedule`."""

import click

from rescue.cli.options import carry_out
from rescue.commands import schedule as schedule_command
from rescue.model.run.schedule import ChecksumDay


@click.group()
def schedule() -> None:
    """Run the mirror every day, compare once a week, and raise an alarm where it grows old."""


@schedule.command("install")
@click.option("--at", metavar="HH:MM", help="Local time of the day (default: as configured).")
@click.option(
    "--checksum-day",
    type=click.Choice([day.value for day in ChecksumDay if day is not ChecksumDay.NEVER]),
    help="The day on which every content is compared (default: as configured).",
)
@click.option("--no-checksum", is_flag=True, help="Never compare every content.")
@click.option(
    "--when-plugged/--no-when-plugged",
    default=None,
    help="Start a run when a mirror's disk is plugged in, and say when it can be pulled.",
)
def schedule_install(
    *, at: str | None, checksum_day: str | None, no_checksum: bool, when_plugged: bool | None
) -> None:
    """Install the schedule, or change the one that is there."""
    if checksum_day and no_checksum:
        raise click.UsageError("--checksum-day and --no-checksum contradict each other")
    day = ChecksumDay.NEVER if no_checksum else ChecksumDay(checksum_day) if checksum_day else None
    options = schedule_command.InstallOptions(at=at, checksum_day=day, when_plugged=when_plugged)
    carry_out(lambda screen: schedule_command.install(options, screen))


@schedule.command("show")
def schedule_show() -> None:
    """Show the schedule, and when the last runs were and the next will be."""
    carry_out(schedule_command.show, shows=True)


@schedule.command("remove")
def schedule_remove() -> None:
    """Remove what the installation wrote; the settings stay in the configuration."""
    carry_out(schedule_command.remove)
