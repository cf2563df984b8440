"""`rescue status` and `rescue notify`."""

from pathlib import Path

import click

from rescue.cli.options import carry_out
from rescue.commands import notify as notify_command
from rescue.commands import status as status_command


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--log", is_flag=True, help="Write what is not well to the system's log, too.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Write one page for a browser, on a phone too.",
)
@click.option("--monitor", is_flag=True, help="Print one line, as plugins of monitoring do.")
def status(*, as_json: bool, log: bool, html: Path | None, monitor: bool) -> None:
    """Say from which disk this machine runs, how its mirrors are, and what to do next.

    Ends with 0 where all is well, 1 for a warning, 2 where it is critical, as plugins of
    monitoring systems do; with --monitor, 3 where it could not be found out.
    """
    if monitor and (as_json or log or html):
        raise click.UsageError("--monitor prints one line, and stands alone")
    if as_json and html:
        raise click.UsageError("--json and --html contradict each other")
    options = status_command.StatusOptions(as_json=as_json, html=html, log=log, monitor=monitor)
    shows = not (log or html)
    carry_out(lambda screen: status_command.status(options, screen), loud=log, shows=shows)


@click.command(hidden=True)
@click.argument("unit")
def notify(*, unit: str) -> None:
    """Tell people that a unit of the schedule failed; started by OnFailure= of that unit."""
    carry_out(lambda screen: notify_command.tell_of_failure(unit, screen), loud=True)
