"""Questions to a person; control characters in what is shown have no effect."""

import os
import sys
from asyncio import get_running_loop
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Protocol

from rescue.errors import TerminatedError, UsageError
from rescue.model.medium import MediumPlan
from rescue.model.mirror.plan import Plan
from rescue.model.restore.way_back import RestorePlan
from rescue.printable import printable

_WHEN_READY = "run the same command again when you are ready"
_HOW = "(arrows or number, Enter)"
_MOST_SHORTCUTS = 36

# Ctrl-D, or a terminal that is gone, ends all input: no further answer can come.
_LEFT = (KeyboardInterrupt, EOFError)

# questionary is half of a command's start, which a nightly run that asks nothing does without:
# it is imported where a question is asked.


def at_a_terminal() -> bool:
    """Whether there is a person to ask: input and output are a terminal that can be drawn on."""
    kind = os.environ.get("TERM", "")
    return sys.stdin.isatty() and sys.stdout.isatty() and kind not in ("", "dumb")


def ask_identity(plan: Plan | MediumPlan) -> str:
    """Ask the person to type the identity of the disk that the plan would write to.

    Returns the input. Raises TerminatedError where the question was left with Ctrl-C or Ctrl-D,
    and UsageError where standard input is not a terminal: a program that runs without a person
    never asks.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            "writing to a disk needs confirmation, and standard input is not a terminal",
            hint=f"for scripts: --yes --expect-serial {plan.name}",
        )
    import questionary

    question = questionary.text(
        printable(f"Everything on {plan.target_path} will be lost. Type its identity to continue:"),
        **_drawn(),
    )
    try:
        return str(question.unsafe_ask())
    except _LEFT:
        raise TerminatedError(
            f"cancelled: nothing was written to {plan.target_path}",
            hint=_WHEN_READY,
        ) from None


@dataclass(frozen=True, kw_only=True)
class Option:
    """One answer to choose: its value, its text, and the hint when it is selected."""

    value: str
    title: str
    hint: str | None = None


class Instead(Enum):
    """What came instead of an answer: Ctrl-C or Ctrl-D, or news of the disks."""

    LEFT = "left"
    NEWS = "news"


class Watch(Protocol):
    """What can end a question by itself: a descriptor to wait for, and whether that matters."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""

    def changed(self) -> bool:
        """Process the news, and return whether the question must be asked again."""


def choose(
    message: str,
    options: Sequence[Option],
    *,
    suggested: str | None = None,
    watch: Watch | None = None,
) -> str | Instead:
    """Let the person choose with arrow keys or by number; the question is removed afterwards.

    `suggested` is the value that Enter selects. Returns the value, or what came instead.
    """
    import questionary

    choices = [
        questionary.Choice(
            title=printable(each.title),
            value=each.value,
            description=printable(each.hint) if each.hint else None,
        )
        for each in options
    ]
    question = questionary.select(
        printable(message),
        choices=choices,
        default=suggested,
        pointer=">",
        # There are digits and letters for 36 of them.
        use_shortcuts=len(options) <= _MOST_SHORTCUTS,
        use_indicator=False,
        instruction=_HOW,
        erase_when_done=True,
        **_drawn(),
    )

    def listen() -> None:
        if watch is not None:
            get_running_loop().add_reader(watch.fileno(), heard, watch)

    def heard(there: Watch) -> None:
        if there.changed() and not question.application.is_done:
            question.application.exit(result=Instead.NEWS)

    try:
        answer: str | Instead = question.application.run(pre_run=listen)
    except _LEFT:
        return Instead.LEFT
    return answer


def confirm(message: str) -> bool | Instead:
    """Ask yes or no; Enter alone is no."""
    import questionary

    try:
        return bool(questionary.confirm(printable(message), default=False, **_drawn()).unsafe_ask())
    except _LEFT:
        return Instead.LEFT


def ask_text(message: str, *, default: str, wrong: Callable[[str], str]) -> str | Instead:
    """Ask for a text. `wrong` returns what is wrong with one, or '' if nothing is."""
    import questionary

    question = questionary.text(
        printable(message),
        default=printable(default),
        validate=lambda text: printable(wrong(text)) or True,
        **_drawn(),
    )
    try:
        return str(question.unsafe_ask())
    except _LEFT:
        return Instead.LEFT


def _drawn() -> dict[str, Any]:
    """Return how questions are drawn: without asking the terminal where its cursor is.

    A serial line may answer late or never, and what comes late is taken for typed.
    """
    from prompt_toolkit.output.color_depth import ColorDepth
    from prompt_toolkit.output.vt100 import Vt100_Output

    kind = os.environ.get("TERM", "")
    output = Vt100_Output.from_pty(sys.stdout, term=kind)
    output.enable_cpr = False
    plain = kind.startswith("vt") or "NO_COLOR" in os.environ
    return {"output": output, "color_depth": ColorDepth.DEPTH_1_BIT if plain else None}


class RestoreChoice(StrEnum):
    """A person's answer to a displayed restore plan."""

    BRING = "bring them back"
    ASIDE = "bring them back, and set aside every file that is replaced"
    LIST = "list every file first"
    LEAVE = "cancel: nothing is brought back"


def ask_restore(plan: RestorePlan) -> RestoreChoice:
    """Ask what to do with a displayed restore plan.

    Raises TerminatedError where the question was left with Ctrl-C or Ctrl-D, and UsageError
    where standard input is not a terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            "bringing files back needs confirmation, and standard input is not a terminal",
            hint=f"for scripts: --yes --expect-serial '{plan.origin.name}'",
        )
    import questionary

    count = sum(len(told.comes) for told in plan.users)
    question = questionary.select(
        printable(f"{count} files would come back from {plan.origin.name}:"),
        choices=[questionary.Choice(title=choice.value, value=choice) for choice in RestoreChoice],
        pointer=">",
        use_shortcuts=True,
        use_indicator=False,
        instruction=_HOW,
        **_drawn(),
    )
    try:
        return RestoreChoice(question.unsafe_ask())
    except _LEFT:
        raise TerminatedError("cancelled: nothing was brought back", hint=_WHEN_READY) from None
