"""The verdict of a rehearsal: both guests' reports against what must be true."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rescue.model.rehearsal import (
    MOST_CONSOLE,
    Boot,
    DrillPlan,
    DrillTimes,
    Line,
    Phase,
    PhaseResult,
    digest,
)
from rescue.units import whole_number

REFUSED = 10
"""What `rescue mirror` must end with on a mirror."""

_RUNNING = frozenset({"running", "degraded"})
# GRUB and the firmware place the cursor instead of ending a line (ECMA-48, CUP and HVP).
_PLACED = re.compile(r"\x1b\[[0-9;]*[Hf]")
# Colours and other controls of GRUB and systemd, and what else is not text.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.|[^\x20-\x7e\xa0-\U0010ffff]")


@dataclass(kw_only=True)
class Report:
    """The facts of one guest: what was heard when, codes of commands, digests of the marks."""

    begun: float | None = None
    ended: bool = False
    state: tuple[float, str] | None = None
    runs_from: str = ""
    disk: str = ""
    failed: list[str] = field(default_factory=list)
    starts: dict[str, float] = field(default_factory=dict)
    ends: dict[str, tuple[float, int]] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)

    def took(self, command: str) -> float:
        """Return how many seconds a command took, or 0.0 if it did not finish."""
        if command not in self.starts or command not in self.ends:
            return 0.0
        return self.ends[command][0] - self.starts[command]


def read_report(lines: Sequence[Line]) -> Report:
    """Given a guest's output, return its facts; other lines belong to the last command."""
    report, command = Report(), ""
    for line in lines:
        text = line.text.strip()
        if not text.startswith("@ "):
            report.said.setdefault(command, []).append(text)
            continue
        fact, _, rest = text.removeprefix("@ ").partition(" ")
        match fact, rest.split():
            case "begin", _:
                report.begun = line.at
            case "end", _:
                report.ended = True
            case "state", [state, *_]:
                report.state = (line.at, state)
            case "disk", [serial, *_]:
                report.disk = serial
            case "runs-from", [role, *_]:
                report.runs_from = role
            case "failed", [unit, *_]:
                report.failed.append(unit)
            case "start", [command, *_]:
                report.starts[command] = line.at
            case "done", [name, code] if (number := whole_number(code)) is not None:
                report.ends[name] = (line.at, number)
            case "mark", [_, found, name]:
                report.marks[name] = found
            case _:
                pass
    return report


def judge(plan: DrillPlan, boots: Sequence[Boot]) -> tuple[PhaseResult, ...]:
    """Given the observations of the rescue guest and the new disk's, return every phase in order.

    A phase is reached when the one before it was passed.
    """
    night, home = (Boot(), Boot()) if not boots else (boots[0], (*boots, Boot())[1])
    there, back = read_report(night.lines), read_report(home.lines)
    looks = (
        (Phase.SERVICE, night, _service(there, night), *_when_up(there)),
        (Phase.HOMES, night, _homes(plan, there, night), *_when_done(there, "restore")),
        (Phase.FAILBACK, night, _failback(there, night), *_when_done(there, "failback", "again")),
        (Phase.NEW_DISK, home, _new_disk(plan, back, home), *_when_up(back)),
    )
    results: list[PhaseResult] = []
    for phase, boot, problem, seconds, at in looks:
        if results and not results[-1].passed:
            results.append(PhaseResult(phase=phase, reached=False))
            continue
        console = console_end(boot.console) if problem else ()
        results.append(
            PhaseResult(
                phase=phase, reached=True, seconds=seconds, at=at, problem=problem, console=console
            )
        )
    return tuple(results)


def measured(boots: Sequence[Boot]) -> DrillTimes:
    """Return the times of a rehearsal; unfinished parts are not measured."""
    night, home = (read_report(boot.lines) for boot in (*boots, Boot(), Boot())[:2])
    return DrillTimes(
        service=night.state[0] if night.state else 0.0,
        homes=_when_done(night, "restore")[1],
        failback=night.took("failback"),
        again=night.took("again"),
        new_disk=home.state[0] if home.state else 0.0,
    )


def failed_units(boots: Sequence[Boot]) -> tuple[str, ...]:
    """Return a sentence for each guest in which a unit of systemd failed."""
    names = ("on the mirror", "on the new disk")
    return tuple(
        f"failed units {where}: {', '.join(report.failed)}"
        for where, report in zip(names, (read_report(boot.lines) for boot in boots), strict=False)
        if report.failed
    )


def console_end(text: str) -> tuple[str, ...]:
    """Return the last lines of a console as plain text."""
    placed = _PLACED.sub("\n", text.replace("\r", "\n"))
    lines = (_CONTROL.sub("", line).rstrip() for line in placed.split("\n"))
    # The frames around menus mean nothing.
    return tuple([line for line in lines if any(map(str.isalnum, line))][-MOST_CONSOLE:])


def _when_up(report: Report) -> tuple[float, float]:
    at = report.state[0] if report.state else 0.0
    return at, at


def _when_done(report: Report, *commands: str) -> tuple[float, float]:
    """Return how long the commands took together, and when the last one was done."""
    at = report.ends.get(commands[-1], (0.0, 0))[0]
    return sum(report.took(command) for command in commands), at


def _first(problems: Iterator[str]) -> str:
    return next(problems, "")


def _service(report: Report, boot: Boot) -> str:
    return _first(_service_problems(report, boot))


def _service_problems(report: Report, boot: Boot) -> Iterator[str]:
    yield from _up_problems(report, boot, "the medium did not start the mirror")
    if report.runs_from != "mirror":
        yield f"rescue on it does not know that it runs from its mirror: {_or_nothing(report)}"
    yield from _command_problems(report, boot, "mirror", REFUSED)


def _homes(plan: DrillPlan, report: Report, boot: Boot) -> str:
    def problems() -> Iterator[str]:
        yield from _command_problems(report, boot, "restore", 0)
        wanted = {mark.name: mark.after_restore for mark in plan.marks if mark.after_restore}
        yield from _mark_problems(report, wanted)

    return _first(problems())


def _failback(report: Report, boot: Boot) -> str:
    def problems() -> Iterator[str]:
        yield from _command_problems(report, boot, "failback", 0)
        yield from _command_problems(report, boot, "again", 0)
        yield from _end_problems(report, boot)

    return _first(problems())


def _new_disk(plan: DrillPlan, report: Report, boot: Boot) -> str:
    def problems() -> Iterator[str]:
        yield from _up_problems(report, boot, "the new disk did not start on its own")
        if report.disk != plan.new_serial:
            yield f"what started is not the new disk: {report.disk or 'unknown'}"
        if report.runs_from != "source":
            yield f"the new disk does not know that it is the first one: {_or_nothing(report)}"
        yield from _mark_problems(report, {mark.name: mark.at_home for mark in plan.marks})
        yield from _end_problems(report, boot)

    return _first(problems())


def _or_nothing(report: Report) -> str:
    return report.runs_from or "'rescue status' said nothing"


def _up_problems(report: Report, boot: Boot, words: str) -> Iterator[str]:
    if report.begun is None:
        yield f"{words}: {boot.trouble or _OFF}"
    if report.state is None:
        yield f"the system did not come up: {boot.trouble or _OFF}"
    elif report.state[1] not in _RUNNING:
        yield f"the system came up as '{report.state[1]}'"


def _command_problems(report: Report, boot: Boot, name: str, wanted: int) -> Iterator[str]:
    title = _TITLES[name]
    if name not in report.ends:
        yield f"{title} did not finish: {boot.trouble or _OFF}"
    elif (code := report.ends[name][1]) != wanted:
        said = " | ".join(line for line in report.said.get(name, []) if line)
        yield f"{title} ended with exit code {code}, not {wanted}: {_tail(said)}"


_TITLES = {
    "mirror": "'rescue mirror' (to be refused on a mirror)",
    "restore": "'rescue restore'",
    "failback": "'rescue failback'",
    "again": "the second pass of 'rescue failback'",
}
_OFF = "the machine shut itself down"
_MOST_SAID = 400


def _tail(said: str) -> str:
    return said if len(said) <= _MOST_SAID else f"... {said[-_MOST_SAID:]}"


def _mark_problems(report: Report, wanted: dict[str, str]) -> Iterator[str]:
    lost = [name for name in wanted if name not in report.marks]
    if lost:
        yield f"lost: {', '.join(lost)}"
    changed = [
        name
        for name, content in wanted.items()
        if name in report.marks and report.marks[name] != digest(content)
    ]
    if changed:
        yield f"not as expected: {', '.join(changed)}"


def _end_problems(report: Report, boot: Boot) -> Iterator[str]:
    if not report.ended or boot.trouble:
        yield f"it did not shut itself down properly: {boot.trouble or 'its report ends before'}"
