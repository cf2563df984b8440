"""The wizard's pages: disks as pictures, what speaks for each, the menu."""

import shlex
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from rescue.errors import ending_in_words
from rescue.model.finding import Refusal
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine
from rescue.model.wizard import Candidate, Choice, Command, Offer, Page, Task
from rescue.ui.disks import carries_system
from rescue.ui.picture import Picture
from rescue.units import human_bytes

QUESTIONS = {
    Task.PREPARE: "Which disk should become the mirror?",
    Task.FAILBACK: "Which disk should become the first disk?",
    Task.MEDIUM: "Which stick should become the rescue medium?",
}
_INDENT = 2
_MOST_REASONS = 2
"""A disk in use has a dozen; the weightiest come first, and a screen has 24 lines."""


def render_machine(machine: Machine) -> RenderableType:
    """Return every disk as a picture."""
    parts: list[RenderableType] = []
    for disk in machine.disks:
        use = "runs this system" if carries_system(disk, machine) else ""
        parts += [_name(disk, use), Picture(disk, machine.graph)]
    return Group(*parts)


def render_page(page: Page) -> RenderableType:
    """Return the text above the menu."""
    first, *rest = page.head
    return Group(Text(first, style="bold"), *(Text(line) for line in rest))


def menu_line(offer: Offer) -> str:
    """Return an offer as one line of the menu."""
    return f"{offer.title} ({offer.why})" if offer.why else offer.title


def menu_hint(offer: Offer) -> str | None:
    """Return the hint for the selected offer: its command."""
    return offer.command or None


def render_choice(choice: Choice, machine: Machine) -> RenderableType:
    """Return every disk with its picture, and the points for and against it."""
    parts: list[RenderableType] = []
    if choice.against:
        parts.append(
            Text("This is not possible on this machine, whatever the disk:", style="bold red")
        )
        parts += _reasons(choice.against, hints=True)
    for each in choice.candidates:
        parts += _candidate(each, machine)
    parts += [Text(f"({each})") for each in choice.unknown]
    return Group(*parts)


def choice_line(candidate: Candidate) -> str:
    """Return a disk as one line to choose."""
    disk = candidate.disk
    what = "holds data" if candidate.loses else "empty"
    model = f", {disk.model}" if disk.model else ""
    return f"{disk.path}  {disk.id.name}  {human_bytes(disk.size)}{model} ({what})"


def render_losses(candidate: Candidate) -> RenderableType:
    """Return what would be gone."""
    disk = candidate.disk
    head = f"What is on {disk.path} ({disk.id.name}) will all be lost:"
    return Group(Text(head, style="bold red"), *(Text(f"  - {each}") for each in candidate.loses))


def command_lines(command: Command) -> tuple[str, ...]:
    """Return a step's command without the wizard, for a person and for a script."""
    lines = [f"  this is:      {shell(command.attended)}"]
    if command.scripted != command.attended:
        lines.append(f"  in a script:  {shell(command.scripted)}")
    return tuple(lines)


def shell(words: Sequence[str]) -> str:
    """Return the words after `rescue` as a command line."""
    return shlex.join(("rescue", *words))


def changes(before: Machine, now: Machine) -> tuple[str, ...]:
    """Return a sentence for each disk that came or went."""

    def known(machine: Machine) -> dict[tuple[str, str], Disk]:
        return {(disk.path, disk.id.name): disk for disk in machine.disks}

    old, new = known(before), known(now)
    came = [f"plugged in: {_short(new[key])}" for key in new if key not in old]
    went = [f"gone: {_short(old[key])}" for key in old if key not in new]
    other = [
        f"changed: {_short(new[key])}"
        for key in new
        if key in old and new[key].size != old[key].size
    ]
    return (*went, *came, *other)


def render_news(news: Sequence[str]) -> RenderableType:
    """Return what happened to the disks while the person thought."""
    return Group(*(Text(f"* {line}", style="bold") for line in news))


def render_end(command: Command, code: int) -> RenderableType:
    """Return how an unsuccessful step ended."""
    words = shell(command.attended)
    return Text(f"'{words}' {ending_in_words(code)}. The menu offers it again.")


def _candidate(candidate: Candidate, machine: Machine) -> list[RenderableType]:
    disk = candidate.disk
    parts: list[RenderableType] = [
        _name(disk, "can be chosen" if candidate.choosable else "cannot be chosen"),
        Picture(disk, machine.graph),
    ]
    if candidate.speaks_for and candidate.choosable:
        parts.append(_line("+", ", ".join(candidate.speaks_for), "green"))
    if candidate.loses:
        parts.append(_line("!", f"holds {_count(candidate.loses)} that would be lost", "yellow"))
    parts += [_line("!", note, "yellow") for note in candidate.notes]
    parts += _reasons(candidate.against[:_MOST_REASONS], hints=False)
    if (more := len(candidate.against) - _MOST_REASONS) > 0:
        parts.append(_line(" ", f"... and {more} more reasons", ""))
    return parts


def _count(loses: Sequence[str]) -> str:
    return "something" if len(loses) == 1 else f"{len(loses)} partitions"


def _reasons(refusals: Iterable[Refusal], *, hints: bool) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for refusal in refusals:
        parts.append(_line("-", refusal.reason, "red"))
        if hints and refusal.hint:
            parts.append(_line(" ", refusal.hint, ""))
    return parts


def _line(mark: str, text: str, style: str) -> RenderableType:
    """Return a line whose continuation is indented; its mark repeats what its colour says."""
    line = Text()
    line.append(mark, style=style)
    line.append(f" {text}")
    return Padding(line, (0, 0, 0, _INDENT), expand=False)


def _name(disk: Disk, said: str) -> RenderableType:
    words = (
        disk.model,
        disk.transport,
        "removable" if disk.removable else "",
        "read-only" if disk.read_only else "",
    )
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(disk.path, style="bold")
    line.append(f"  {disk.id.name or 'no serial'}  {human_bytes(disk.size)}")
    line.append("".join(f"  {word}" for word in words if word))
    if said:
        line.append(f"  [{said}]", style="bold")
    return line


def _short(disk: Disk) -> str:
    return f"{disk.path} ({disk.id.name or 'no serial'}, {human_bytes(disk.size)})"
