"""The probe's report (templates/proof-probe.sh), parsed."""

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Sequence
from typing import Any

from rescue.model.proof import CheckResult, FstabLine, HomeSeen, MountSeen, ProbeReport
from rescue.system.process.answer import rows_of
from rescue.units import whole_number

ANSWERS = {
    "uptime": "when it began",
    "command-line": "the kernel's command line",
    "root-mode": "the mode of /",
    "root-readable": "who can read /",
    "root-free": "the room on the root file system",
    "state": "the state of systemd",
    "times": "the times of the boot",
    "failed": "units that failed",
    "journal": "what failed units said",
    "mounts": "what is mounted",
    "fstab": "the fstab",
    "swaps": "the swap areas",
    "closed-layers": "the crypttab",
    "homes": "the homes",
    "marker": "the marker",
}
"""Each answer that the probe gives in any case, also where it is empty, and what it is about."""

_LINE = re.compile(r"rescue-proof (([a-z0-9-]+) ([A-Za-z0-9+/=]*)) ([0-9a-f]{64})(?=\s)")
_CHECK = "check-"
_EXIT_CODE = re.compile(r"[0-9]{1,3}(?:\n|\Z)")
_MICROSECONDS = 1_000_000


def parse_report(text: str, *, checks: Sequence[str] = ()) -> ProbeReport | None:
    """Given the output of the second serial port, return the report; None before it began.

    `checks` are the commands in the order in which the probe was given them. A truncated report
    is returned as far as it came. Lines that are not the probe's are skipped, and so are lines
    of it that something else wrote into: `heard` tells which are left.
    """
    said = _said(text)
    if not said:
        return None
    times = dict(line.split("=", 1) for line in _lines(said, "times") if "=" in line)
    return ProbeReport(
        uptime=_number(said.get("uptime")),
        state=said.get("state", "").strip(),
        userspace=_number(times.get("UserspaceTimestampMonotonic")) / _MICROSECONDS,
        finished=_number(times.get("FinishTimestampMonotonic")) / _MICROSECONDS,
        waiting=_jobs(_lines(said, "waiting")),
        failed=tuple(line.split()[0] for line in _lines(said, "failed")),
        journal=_lines(said, "journal"),
        mounts=tuple(_mount(row) for row in _table(said.get("mounts", ""))),
        fstab=tuple(_fstab_line(row) for row in _table(said.get("fstab", ""))),
        swaps=_lines(said, "swaps"),
        closed_layers=_lines(said, "closed-layers"),
        root_mode=said.get("root-mode", "").strip(),
        root_readable=said.get("root-readable", "").strip() == "yes",
        root_free=_bytes(said.get("root-free", "")),
        command_line=said.get("command-line", "").strip(),
        homes=tuple(home for line in _lines(said, "homes") if (home := _home(line))),
        marker=said.get("marker", ""),
        checks=tuple(
            _check(command, said[check_answer(number)])
            for number, command in enumerate(checks)
            if check_answer(number) in said
        ),
        done="done" in said,
        heard=frozenset(said),
    )


def check_answer(number: int) -> str:
    """Return the name of a check command's answer; they count from 0."""
    return f"{_CHECK}{number}"


def _said(text: str) -> dict[str, str]:
    """Return each intact answer; of a repeated one, the last."""
    said = {}
    for line, name, data, digest in _LINE.findall(text):
        # A getty's greeting or a kernel's message in the midst leaves what looks like a shorter
        # answer: fewer units failed, or a command ended with nothing.
        if hashlib.sha256(line.encode("ascii")).hexdigest() != digest:
            continue
        try:
            answer = base64.b64decode(data, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            continue
        if not name.startswith(_CHECK) or _EXIT_CODE.match(answer):
            said[name] = answer
    return said


def _lines(said: dict[str, str], name: str) -> tuple[str, ...]:
    return tuple(line for line in said.get(name, "").split("\n") if line.strip())


def _number(text: str | None) -> float:
    """Return a number of seconds or microseconds, or 0.0 if it is not one."""
    try:
        number = float(text or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _bytes(text: str) -> int:
    """Return a number of bytes, -1 where it was not told."""
    number = whole_number(text.strip())
    return -1 if number is None else number


def _table(text: str) -> list[dict[str, Any]]:
    """Return the rows of findmnt's JSON; none where it did not answer."""
    try:
        return rows_of(json.loads(text)["filesystems"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _options(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row.get("options") or "").split(","))


def _mount(row: dict[str, Any]) -> MountSeen:
    return MountSeen(
        target=str(row.get("target") or ""),
        uuid=str(row.get("uuid") or ""),
        fstype=str(row.get("fstype") or ""),
        read_only="ro" in _options(row),
    )


def _fstab_line(row: dict[str, Any]) -> FstabLine:
    return FstabLine(
        target=str(row.get("target") or ""),
        source=str(row.get("source") or ""),
        fstype=str(row.get("fstype") or ""),
        options=_options(row),
    )


def _home(line: str) -> HomeSeen | None:
    """Return the report on one home ('1000 1000 /home/anna'), or None if it is truncated."""
    uid, _, rest = line.partition(" ")
    owner, _, path = rest.partition(" ")
    return HomeSeen(path=path, present=owner != "none", owned=owner == uid) if path else None


def _jobs(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the units of `systemctl list-jobs` (number, unit, type, state) that run.

    The others only wait for these.
    """
    rows = [line.split() for line in lines]
    return tuple(row[1] for row in rows if len(row) > 3 and row[-1] == "running")


def _check(command: str, text: str) -> CheckResult:
    code, _, said = text.partition("\n")
    return CheckResult(command=command, exit_code=int(code), said=said.strip())
