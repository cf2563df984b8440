"""What the terminal at hand can show: a serial console is one, too."""

import os
import sys

from rich.console import Console


class _PlainLetters(Console):
    """A console for terminals that draw no lines: rich then makes its tables and bars of ASCII."""

    @property
    def encoding(self) -> str:
        """Return the encoding that rich chooses its characters by."""
        return "ascii"


def console(*, errors: bool = False) -> Console:
    """Return the console of standard output, or of standard error.

    On a terminal lines are folded between words; without one nothing may be folded: each line is
    one record for the journal.
    """
    stream = sys.stderr if errors else sys.stdout
    kind = Console if draws_lines() else _PlainLetters
    return kind(stderr=errors, highlight=False, soft_wrap=not stream.isatty())


def draws_lines() -> bool:
    """Whether the terminal can be trusted with line drawing: UTF-8, and no serial console's type.

    Python itself takes the C locale for UTF-8 (PEP 538), so the environment is asked.
    """
    spoken = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    utf8 = spoken.upper().replace("-", "").endswith("UTF8")
    return utf8 and not os.environ.get("TERM", "").startswith("vt")
