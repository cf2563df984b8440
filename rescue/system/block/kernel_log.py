"""The kernel's log: disks with read errors (man 1 dmesg)."""

import json
import re
import time
from collections.abc import Collection
from dataclasses import dataclass

from rescue.system.process.answer import rows_of, text_of, understood
from rescue.system.process.run import run

# The block layer's own sentence, the same for every driver: "critical medium error, dev sda, sector
# 1 op 0x0:(READ) ...". Debian 12's kernel still puts the function's name before some of them.
_BLOCK = re.compile(r"^(?:\w+: )?[A-Za-z/ ]+ error, dev (\S+), sector \d+ op 0x[0-9a-f]+:\(READ\)")
_BUFFER = re.compile(r"^Buffer I/O error on dev(?:ice)? (\S+), logical block \d+, async page read")

DMESG = ("dmesg", "--json")


@dataclass(frozen=True, kw_only=True)
class KernelLine:
    """One line; `at` is in seconds since the machine started, as the kernel counts them."""

    at: float
    text: str


def read_errors(names: Collection[str], *, within: float) -> tuple[str, ...]:
    """Return the kernel's lines of read errors on these devices ('sda', 'sda1'), oldest first.

    Only those of the last `within` seconds. The log is a ring: it holds the newest lines. Raises
    RescueError (CommandError) where it cannot be read.
    """
    oldest = time.monotonic() - within
    lines = parse_lines(run(DMESG).stdout)
    return errors_in(tuple(line for line in lines if line.at >= oldest), names)


def parse_lines(text: str) -> tuple[KernelLine, ...]:
    """Given the output of DMESG, return the lines. Raises RescueError if it is invalid."""
    with understood("dmesg did not answer with a list of lines"):
        rows = rows_of(json.loads(text, strict=False)["dmesg"])
        return tuple(KernelLine(at=float(row["time"]), text=text_of(row, "msg")) for row in rows)


def errors_in(lines: tuple[KernelLine, ...], names: Collection[str]) -> tuple[str, ...]:
    """Return the texts of those lines that report a failed read of one of the devices."""
    found = []
    for line in lines:
        match = _BLOCK.match(line.text) or _BUFFER.match(line.text)
        if match and match[1] in names:
            found.append(line.text)
    return tuple(found)
