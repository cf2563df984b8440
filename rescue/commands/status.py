"""`rescue status`: where the machine stands, for a person, a program, a monitoring system."""

from rescue.codec import to_json
from rescue.commands.standing import standing
from rescue.discover.machine import discover
from rescue.model.status import Health
from rescue.system import journal
from rescue.ui.screen import Screen
from rescue.ui.status import status_lines


def status(screen: Screen, *, as_json: bool, log: bool = False) -> Health:
    """Print where the machine stands. Returns what monitoring asks for, as an exit code.

    With `log` what is not well is written to the system's log as errors, too.

    Raises UsageError without root, and where configuration and records do not fit together.
    """
    found = standing(discover())
    lines = status_lines(found)
    if as_json:
        screen.show(to_json(found))
    else:
        for line in lines:
            screen.show(line)
    if log and found.health is not Health.GOOD:
        for line in lines:
            journal.report_alarm(line.plain)
    return found.health
