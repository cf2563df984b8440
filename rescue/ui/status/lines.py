"""The status in plain lines, for a person or a monitoring system's page."""

from rich.text import Text

from rescue.model.mirror.role import Role
from rescue.model.run.status import Health, MirrorStatus, Status
from rescue.ui.next_steps import step_words
from rescue.ui.rot import trouble_lines
from rescue.ui.status.facts import Fact, disk_fact, exposure_sentence, mirror_facts, moment

_STYLE = {Health.GOOD: "green", Health.WARNING: "yellow", Health.CRITICAL: "bold red"}
_HOUR = 3600.0


def status_lines(status: Status) -> tuple[Text, ...]:
    """Return the status; the first line says the most important by itself."""
    lines = [Text(f"{status.health.name}: {headline(status)}", style=_STYLE[status.health])]
    lines += [Text(f"  {said}", style="yellow") for said in status.damage]
    if status.own is not None:
        lines += [Text(f"  {line}") for line in _own(status, status.own)]
    if status.exposure is not None and status.mirrors:
        lines.append(Text(f"  {exposure_sentence(status.exposure, disk=status.disk)}"))
    if status.disk_health is not None:
        lines.append(_fact(disk_fact(status.disk_health), indent=2))
    for each in status.mirrors:
        lines += _about(each, now=status.at)
    if status.turn:
        lines.append(Text(f"  it is the day of mirror '{status.turn}'"))
    if status.next_steps:
        lines.append(Text("next:"))
        lines += [Text(f"  {step}") for step in map(step_words, status.next_steps)]
    return tuple(lines)


def _about(each: MirrorStatus, *, now: float) -> list[Text]:
    """Return a mirror's own line and, below it, everything that is known of it."""
    lines = [Text(f"  {_mirror(each)}", style=_STYLE[each.health])]
    if each.last_error:
        lines.append(Text(f"    last error: {each.last_error}", style="yellow"))
    lines += [Text(f"    {said}", style="yellow") for said in trouble_lines(each.troubles)]
    if each.vanished:
        lines.append(Text(f"    {each.vanished} files vanished while the last run copied them"))
    return lines + [_fact(fact, indent=4) for fact in mirror_facts(each, now=now)]


def _fact(fact: Fact, *, indent: int) -> Text:
    return Text(f"{'':{indent}}{fact.name}: {fact.said}", style="yellow" if fact.bad else "")


def age_words(seconds: float) -> str:
    """Return an age in seconds in readable form: '7 h', '3 days'."""
    if seconds < 2 * _HOUR:
        return f"{seconds / 60:.0f} min"
    hours = seconds / _HOUR
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


def headline(status: Status) -> str:
    """Return in one sentence from which disk the machine runs."""
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
    when = moment(own.last_complete) if own.last_complete else "no run was ever complete"
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
