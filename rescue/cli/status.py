"""`rescue status` and `rescue notify`."""

from pathlib import Path

import click

from rescue.cli.options import carry_out
from rescue.commands import notify as notify_command
from rescue.commands import status as status_command


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@click.option("--log", is_flag=True, help="Also write problems to the system log.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Write a page for a browser (or a phone) to FILE.",
)
@click.option("--monitor", is_flag=True, help="Print one line, as a monitoring plugin does.")
def status(*, as_json: bool, log: bool, html: Path | None, monitor: bool) -> None:
    """Show which disk this machine runs from, how its mirrors are, and what to do next.

    The exit code is that of a monitoring plugin: 0 if all is well, 1 for a warning, 2 if it is
    critical; with --monitor also 3, if it could not be determined.
    """
    if monitor and (as_json or log or html):
        raise click.UsageError("--monitor cannot be combined with other options")
    if as_json and html:
        raise click.UsageError("--json and --html cannot be used together")
    options = status_command.StatusOptions(as_json=as_json, html=html, log=log, monitor=monitor)
    shows = not (log or html)
    carry_out(lambda screen: status_command.status(options, screen), loud=log, shows=shows)


@click.command(hidden=True)
@click.argument("unit")
def notify(*, unit: str) -> None:
    """Tell people that a unit of the schedule failed; started by OnFailure= of that unit."""
    carry_out(lambda screen: notify_command.tell_of_failure(unit, screen), loud=True)
