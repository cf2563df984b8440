"""The abilities of the terminal at hand; a serial console is one, too.

Nothing foreign is obeyed there: every text that is printed is one line of printable characters, and
none is taken for rich's markup. What shall be several lines is several texts (a Group).
"""

import os
import sys
from collections.abc import Iterable
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Span, Text

from rescue.printable import printable


class _Filtered(Console):
    """A console that shows control characters instead of letting them take effect."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render anything; rich comes here for every part of it, down to the texts."""
        if isinstance(renderable, str):
            renderable = Text(printable(renderable))
        elif isinstance(renderable, Text):
            renderable = one_line(renderable)
        return super().render(renderable, options)


class _PlainLetters(_Filtered):
    """A console for terminals that draw no lines: rich then makes its tables and bars of ASCII."""

    @property
    def encoding(self) -> str:
        """Return the encoding that rich chooses its characters by."""
        return "ascii"


def console(*, errors: bool = False, file: IO[str] | None = None) -> Console:
    """Return the console of standard output or standard error, or one that writes to a file.

    On a terminal lines are folded between words; without one nothing may be folded: each line is
    one record for the journal.
    """
    stream = file or (sys.stderr if errors else sys.stdout)
    kind = _Filtered if draws_lines() else _PlainLetters
    return kind(
        file=file,
        stderr=errors,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not stream.isatty(),
    )


def one_line(text: Text) -> Text:
    """Return a text as one line of printable characters, each with the style that it had."""
    plain = text.plain
    if plain.isprintable():
        return text
    shown = [printable(char) for char in plain]
    starts = [0]
    for piece in shown:
        starts.append(starts[-1] + len(piece))
    line = text.blank_copy("".join(shown))
    line.spans = [Span(starts[at.start], starts[at.end], at.style) for at in text.spans]
    return line


def draws_lines() -> bool:
    """Whether the terminal can be trusted with line drawing: UTF-8, and no serial console type.

    Python itself takes the C locale for UTF-8 (PEP 538), so the environment is asked.
    """
    spoken = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    utf8 = spoken.upper().replace("-", "").endswith("UTF8")
    return utf8 and not os.environ.get("TERM", "").startswith("vt")
