"""Long lines of one kind: the work of a parser grows as its text does, and never by its square.

A regular expression that tries each place anew, or a list that is copied for each word of it, is
quick on every file that was ever seen, and hangs root's nightly run on the one that was made for
it. Nothing is said of how long anything takes: four times the text is compared with once.
"""

import contextlib
import time

import pytest

from tests.fuzz import files, tools
from tests.fuzz.target import Kind, Target

# JSON is read by Python's own parser, and what is made of it is a step for each row.
TARGETS = [each for each in (*files.TARGETS, *tools.TARGETS) if each.kind is Kind.TEXT]

REPEATED = (
    *"\n\t \"'\\#{}[](<>;:,=-$0a",
    "\r\n",
    " \n",
    "\n \t",
    "${",
    "\\0",
    "a ",
    "a=",
    '"a" ',
    "{ ",
    "then ",
    "submenu a { ",
    "menuentry a { linux /x root=y\n",
    "linux /x\ninitrd /y ",
    "initrd /y\n",
    "search --fs-uuid ",
    "/vmlinuz",
    "error: file /vmlinuz",
    "ALERT!  ",
    "run-init: ",
    "\x1b[0;",
    "to-chk=1",
    "ID 1 gen 1 top level 1 path ",
    "console=ttyS1 ",
    "### BEGIN a ###\n",
    "1234567890",
    "x error, dev ",
    "could not make way for new a: ",
    "set default=",
    "UUID=",
    'LABEL="my',
    "/dev/disk/by-uuid/",
    "dev-disk-by",
    "search -l ",
    "50bce000-",
)
SMALL = 2_000
FACTOR = 4
NOTHING = 0.01
"""Seconds of the processor: below it nothing grows that would be felt."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_four_times_the_text_is_no_more_than_ten_times_the_work(target: Target) -> None:
    grown = [
        repeated
        for repeated in REPEATED
        if any(_is_square(target, begin, repeated) for begin in _beginnings(target))
    ]
    assert not grown


def _beginnings(target: Target) -> tuple[str, ...]:
    """Return what may stand before: nothing, and what leads a parser to its inner places."""
    return ("", f"{target.specimens[0][:200]}")


def _is_square(target: Target, begin: str, repeated: str) -> bool:
    size = SMALL // len(repeated) + 1
    text = [f"{begin}{repeated * count}!" for count in (size, FACTOR * size)]
    if _work(target, text[1]) < NOTHING:
        return False
    # The least of some: what else the machine does is in the others.
    once, more = (min(_work(target, each) for _ in range(4)) for each in text)
    return more > NOTHING and more > 10 * once


def _work(target: Target, text: str) -> float:
    begun = time.process_time()
    with contextlib.suppress(*target.errors):
        target.parse(text)
    return time.process_time() - begun
