"""`rescue status`: shows the state of the mirrors to a person, a program or a monitoring system."""

from dataclasses import dataclass
from pathlib import Path

from rescue.discover.machine import discover
from rescue.errors import in_words
from rescue.model.run.status import Health, Status
from rescue.status.current import current_status
from rescue.status.metrics_file import publish
from rescue.store.codec import to_json
from rescue.system.files.atomic import write_atomic
from rescue.system.notify import journal
from rescue.ui.screen import Screen
from rescue.ui.status.frames import status_view
from rescue.ui.status.lines import status_lines
from rescue.ui.status.monitor import monitor_line, unknown_line
from rescue.ui.status.page import report


@dataclass(frozen=True, kw_only=True)
class StatusOptions:
    """What the command line asked for: the form, and whether to write to the system's log.

    `html` is the file that a page is written to, None where none is asked for.
    """

    as_json: bool = False
    html: Path | None = None
    monitor: bool = False
    log: bool = False


def status(options: StatusOptions, screen: Screen) -> Health:
    """Print the machine's status. Returns it as the exit code that monitoring expects.

    With `log`, problems are written to the system's log as errors, and the metrics are written
    anew. With `monitor` there is one line, and what could not be found out is UNKNOWN.

    Raises UsageError without root, and where configuration and records do not match.
    """
    if options.monitor:
        return _monitor(screen)
    machine = discover()
    found = current_status(machine)
    if options.html is not None:
        _write(report(found), options.html)
        screen.show(f"written to {options.html}")
    elif options.as_json:
        screen.show_plain(to_json(found))
    else:
        # A running mirror is described in sentences: somebody has to read them tonight.
        framed = screen.out.is_terminal and found.own is None
        for part in status_view(found) if framed else status_lines(found):
            screen.show(part)
    if options.log:
        _log(found)
        publish(machine, screen, found=found)
    return found.health


def _write(page: str, path: Path) -> None:
    """Write the page, atomically: for root alone, or with the mode that it had before.

    Raises OSError where the folder is not there. Messages of a run may name files of users.
    """
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    write_atomic(path, page.encode("utf-8", "replace"), mode=mode)


def _monitor(screen: Screen) -> Health:
    try:
        found = current_status(discover())
    except Exception as error:  # whatever it was: by its exit code a plugin says what it knows
        screen.show_plain(unknown_line(in_words(error)))
        return Health.UNKNOWN
    screen.show_plain(monitor_line(found))
    return found.health


def _log(found: Status) -> None:
    if found.health is not Health.GOOD:
        for line in status_lines(found):
            journal.report_alarm(line.plain)
