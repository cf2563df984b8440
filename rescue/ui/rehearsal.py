"""A rehearsal for people: what will be played, its progress, its result."""

import time
from collections.abc import Iterator
from typing import assert_never

from rich.text import Text

from rescue.model.rehearsal import DrillPlan, DrillResult, Line, Phase, PhaseResult
from rescue.units import human_bytes

_TITLES = {
    Phase.SERVICE: "the medium starts the mirror, and every service is up",
    Phase.HOMES: "the users' files come back from the dead disk",
    Phase.FAILBACK: "an empty disk becomes the first one, in two passes",
    Phase.NEW_DISK: "the new disk starts on its own, with every file on it",
}
_STARTS = {
    "mirror": "the daily run on the mirror (to be refused)",
    "restore": "rescue restore",
    "failback": "rescue failback",
    "again": "rescue failback, second pass",
}


def plan_lines(plan: DrillPlan) -> Iterator[Text]:
    """Yield what will be played, on which throw-away disks, and how long it may take."""
    yield Text(
        f"Rehearsal of the night the disk dies, with mirror '{plan.mirror}' of {plan.host}",
        style="bold",
    )
    yield Text(
        f"  mirror     {plan.mirror_path} ({plan.mirror_disk.name}), only read, never written"
    )
    yield Text(f"  state      generation {plan.generation} of {utc(plan.last_complete)}")
    wiped = "its boot sector" if plan.first.keeps_table else "its partition table"
    yield Text(f"  dead disk  a copy of it that shows {plan.first.serial}, without {wiped}")
    yield Text(f"  new disk   empty, {human_bytes(plan.new_size)}, {plan.new_serial}")
    yield Text(f"  started by {plan.firmware}; no network; at most {plan.limit / 60:.0f} min")
    yield Text(
        f"  room       up to {human_bytes(plan.room)} in {plan.work_dir}, "
        f"{human_bytes(plan.free)} free"
    )
    for note in plan.notes:
        yield Text(f"Note: {note}", style="yellow")


def progress_line(line: Line) -> Text | None:
    """Return a guest's line as a progress message, or None if it is not progress."""
    fact, _, rest = line.text.strip().removeprefix("@ ").partition(" ")
    if not line.text.strip().startswith("@ "):
        return None
    match fact:
        case "begin":
            told = "the new disk started" if rest == "home" else "the mirror started"
        case "state":
            told = f"its services are up ({rest})"
        case "start":
            told = f"{_STARTS.get(rest, rest)} ..."
        case "done":
            name, _, code = rest.partition(" ")
            told = f"{_STARTS.get(name, name)}: exit code {code}"
        case _:
            return None
    return Text(f"  {clock(line.at)}  {told}")


def result_lines(result: DrillResult) -> Iterator[Text]:
    """Yield a rehearsal's result; the first line states the most important by itself."""
    verdict = "PASSED" if result.passed else "FAILED"
    style = "bold green" if result.passed else "bold red"
    yield Text(
        f"{verdict}: rehearsal of {utc(result.started)} with mirror '{result.mirror}' of "
        f"{result.host}, generation {result.generation} of {utc(result.last_complete)}",
        style=style,
    )
    for phase in result.phases:
        yield _phase(phase)
    yield from _times(result)
    for note in result.notes:
        yield Text(f"  note: {note}", style="yellow")
    failed = result.failed
    if failed is not None and failed.console:
        yield Text("  the end of its console:")
        yield from (Text(f"    {line}") for line in failed.console)


def utc(seconds: float) -> str:
    """Return a time in readable form."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def clock(seconds: float) -> str:
    """Return a duration as a clock shows it: '12:05', '1:02:05'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _phase(phase: PhaseResult) -> Text:
    title = _TITLES[phase.phase]
    if not phase.reached:
        return Text(f"  --      {title}: not reached", style="yellow")
    if phase.problem:
        return Text(f"  FAILED  {title}: {phase.problem}", style="bold red")
    return Text(f"  ok      {title} ({clock(phase.seconds)})", style="green")


def _times(result: DrillResult) -> Iterator[Text]:
    for phase in Phase:
        match phase:
            case Phase.SERVICE:
                told, seconds = "power-on to service", result.times.service
            case Phase.HOMES:
                told, seconds = "power-on to the homes back", result.times.homes
            case Phase.FAILBACK:
                told, seconds = "failback while it serves", result.times.failback
                if result.times.again:
                    told += f" (and {clock(result.times.again)} while the services stand still)"
            case Phase.NEW_DISK:
                told, seconds = "first start of the new disk", result.times.new_disk
            case _:
                assert_never(phase)
        if seconds:
            yield Text(f"  {clock(seconds):>8}  {told}")
    if result.emulated:
        yield Text("  the processor was emulated: real times are far shorter", style="yellow")
