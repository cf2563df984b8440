"""The status in one line, as monitoring plugins print it (Monitoring Plugins guidelines).

RESCUE OK - mirror 'A' is 7 h 12 min old | age=25920s;129600;345600;0 ...
"""

from math import isfinite

from rescue.model.mirror.role import Role
from rescue.model.run.status import Health, MirrorStatus, Status
from rescue.printable import printable
from rescue.ui.status.facts import duration_words, reasons

_WORDS = {
    Health.GOOD: "OK",
    Health.WARNING: "WARNING",
    Health.CRITICAL: "CRITICAL",
    Health.UNKNOWN: "UNKNOWN",
}


def monitor_line(status: Status) -> str:
    """Return the line: what matters most, and figures behind the bar."""
    return f"{_begin(status.health)}{_plain(_said(status))} | {' '.join(_figures(status))}"


def unknown_line(why: str) -> str:
    """Return the line where nothing could be found out."""
    return f"{_begin(Health.UNKNOWN)}{_plain(why)}"


def _begin(health: Health) -> str:
    return f"RESCUE {_WORDS[health]} - "


def _said(status: Status) -> str:
    if status.runs_from is Role.MIRROR:
        return f"{status.host} runs from its mirror {status.disk}"
    if not status.mirrors:
        return ", ".join((f"{status.host} has no mirror", *status.damage))
    ages = [_age(each) for each in status.mirrors]
    return ", ".join((*ages, *reasons(status)))


def _age(each: MirrorStatus) -> str:
    age = f"{duration_words(each.age)} old" if each.last_complete else "not complete"
    return f"mirror '{each.name}' is {age}"


def _figures(status: Status) -> list[str]:
    ages = [each.age for each in status.mirrors if each.last_complete]
    youngest = f"{min(ages):.0f}s" if ages else "U"
    limits = ";".join(
        f"{limit:.0f}" if isfinite(limit) and limit else ""
        for limit in (status.overdue_after, status.critical_after)
    )
    figures = [f"age={youngest};{limits};0"]
    for each in status.mirrors:
        age = f"{each.age:.0f}s" if each.last_complete else "U"
        figures.append(f"{_label(f'age_{each.name}')}={age};;;0")
        figures += [
            f"{_label(f'free_{each.name}_{room.mount_point}')}={room.free}B;;;0;{room.size}"
            for room in each.free
        ]
    return figures


def _label(name: str) -> str:
    """Return a label of a figure: in quotes, without the two characters that end one."""
    return f"'{_plain(name).replace(chr(39), '').replace('=', '')}'"


def _plain(text: str) -> str:
    """Return text on one line, without the bar behind which the figures begin."""
    return printable(text).replace("|", "/")
