"""Where a machine stands, in lines that a person or a monitoring system's page can show."""

import time

from rich.text import Text

from rescue.model.role import Role
from rescue.model.status import Health, MirrorStatus, Status

_STYLE = {Health.GOOD: "green", Health.WARNING: "yellow", Health.CRITICAL: "bold red"}
_HOUR = 3600.0


def status_lines(status: Status) -> tuple[Text, ...]:
    """Return the status; the first line says the most important by itself."""
    lines = [Text(f"{status.health.name}: {_headline(status)}", style=_STYLE[status.health])]
    if status.own is not None:
        lines += [Text(f"  {line}") for line in _own(status, status.own)]
    lines += [Text(f"  {_mirror(each)}", style=_STYLE[each.health]) for each in status.mirrors]
    lines += [
        Text(f"    last error: {each.last_error}") for each in status.mirrors if each.last_error
    ]
    if status.turn:
        lines.append(Text(f"  it is the day of mirror '{status.turn}'"))
    for each in status.mirrors:
        lines += [Text(f"    last run: {said}") for said in each.troubles]
        if each.vanished:
            lines.append(Text(f"    {each.vanished} files vanished while the last run copied them"))
    if status.next_steps:
        lines.append(Text("next:"))
        lines += [Text(f"  {step}") for step in status.next_steps]
    return tuple(lines)


def age_words(seconds: float) -> str:
    """Given an age in seconds, return it as people say it: '7 h', '3 days'."""
    if seconds < 2 * _HOUR:
        return f"{seconds / 60:.0f} min"
    hours = seconds / _HOUR
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


def _headline(status: Status) -> str:
    disk = f"{status.disk or 'no serial'}, {status.device or 'no plain disk'}"
    match status.runs_from:
        case Role.SOURCE:
            return f"{status.host} runs from its first disk ({disk})"
        case Role.MIRROR if status.handed_over_to:
            return (
                f"{status.host} STILL runs from its mirror ({disk}); "
                f"{status.handed_over_to} is its first disk again"
            )
        case Role.MIRROR:
            return f"{status.host} runs from its MIRROR ({disk})"
        case _ if status.mirrors:
            return f"{status.host} runs from a disk that no mirror was made from ({disk})"
        case _:
            return f"{status.host} runs from {disk}, and no mirror is enrolled"


def _own(status: Status, own: MirrorStatus) -> tuple[str, ...]:
    when = _utc(own.last_complete) if own.last_complete else "no run was ever complete"
    lines = [f"mirror '{own.name}' of {status.source or '?'}, state of the system: {when}"]
    if own.last_complete:
        lines[0] += f" ({age_words(own.age)} ago), generation {own.generation}"
    if own.last_error:
        lines.append(f"its last run failed: {own.last_error}")
    lines += [f"started from it at {each}" for each in status.since]
    return tuple(lines)


def _mirror(each: MirrorStatus) -> str:
    age = f"{age_words(each.age)} old" if each.last_complete else "never complete"
    if each.overdue_after:
        age += f" (OVERDUE: its limit is {age_words(each.overdue_after)})"
    attached = "attached" if each.attached else "not attached"
    return (
        f"mirror '{each.name}' ({each.disk}): {each.state}, generation {each.generation}, {age}, "
        f"{attached}"
    )


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
