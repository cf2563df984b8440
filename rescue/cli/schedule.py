"""`rescue schedule`."""

import click

from rescue.cli.options import carry_out
from rescue.commands import schedule as schedule_command
from rescue.model.run.schedule import ChecksumDay


@click.group()
def schedule() -> None:
    """Mirror every day, compare contents weekly, and raise an alarm when a mirror is too old."""


@schedule.command("install")
@click.option("--at", metavar="HH:MM", help="Local time of day (default: as configured).")
@click.option(
    "--checksum-day",
    type=click.Choice([day.value for day in ChecksumDay if day is not ChecksumDay.NEVER]),
    help="Day on which the contents of every file are compared (default: as configured).",
)
@click.option("--no-checksum", is_flag=True, help="Never compare the contents of every file.")
@click.option(
    "--when-plugged/--no-when-plugged",
    default=None,
    help="Start a run when a mirror's disk is plugged in, and announce when it can be removed.",
)
def schedule_install(
    *, at: str | None, checksum_day: str | None, no_checksum: bool, when_plugged: bool | None
) -> None:
    """Install the schedule, or change the installed one."""
    if checksum_day and no_checksum:
        raise click.UsageError("--checksum-day and --no-checksum cannot be used together")
    day = ChecksumDay.NEVER if no_checksum else ChecksumDay(checksum_day) if checksum_day else None
    options = schedule_command.InstallOptions(at=at, checksum_day=day, when_plugged=when_plugged)
    carry_out(lambda screen: schedule_command.install(options, screen))


@schedule.command("show")
def schedule_show() -> None:
    """Show the schedule, the last runs and the next ones."""
    carry_out(schedule_command.show, shows=True)


@schedule.command("remove")
def schedule_remove() -> None:
    """Remove what 'install' wrote; the settings stay in the configuration."""
    carry_out(schedule_command.remove)
