"""The door to smartctl (smartmontools): a disk's own verdict, parsed at the border.

The tool is recommended, not needed: without it there is no verdict, and that is said.
"""

import json
from typing import Any

from rescue.model.storage.disk_health import SmartState, SmartVerdict
from rescue.system.process.run import CommandError, Result, run, which

INSTALL = "apt install smartmontools"

# The exit code is a mask of eight bits (man 8 smartctl, EXIT STATUS); all may be set together.
_EVERY_CODE = range(256)
_NOT_PARSED, _NOT_OPENED = 1, 2
# "The command line did not parse" is also what a disk without SMART gives; together with "a command
# failed" it comes from nowhere but the option --nocheck.
_SLEEPS = 5

# ATA attributes that count sectors which could not be read, by their customary numbers.
_UNREADABLE = {
    187: "errors that could not be corrected",
    197: "sectors that wait to be read",
    198: "sectors that could not be read",
}
# Bits of the critical warning (NVM Express Base Specification, SMART / Health Information).
_NVME_HOT = 2
_NVME_WARNINGS = {
    1: "its spare blocks are used up",
    4: "it is no longer reliable (media errors)",
    8: "it has become read-only",
    16: "the backup of its volatile memory failed",
}


def smart_argv(path: str) -> list[str]:
    """Return the command that reads one disk's verdict and counters without waking it."""
    return ["smartctl", "--json", f"--nocheck=standby,{_SLEEPS}", "--health", "--attributes", path]


def ask(path: str) -> SmartVerdict:
    """Ask the disk at that path for its health. Never raises: no verdict is an answer, too."""
    if which("smartctl") is None:
        return SmartVerdict(
            state=SmartState.NO_TOOL, said=(f"smartctl is not installed ('{INSTALL}')",)
        )
    try:
        return parse(run(smart_argv(path), timeout=60, ok=_EVERY_CODE))
    except CommandError as error:
        return SmartVerdict(state=SmartState.UNREAD, said=(error.message,))


def parse(result: Result) -> SmartVerdict:
    """Given smartctl's exit code and output, return the disk's verdict."""
    if result.returncode == _SLEEPS:
        return SmartVerdict(state=SmartState.ASLEEP, said=("the disk sleeps, and was not woken",))
    try:
        told = json.loads(result.stdout)
        verdict = _verdict(told)
        complaints = [str(each.get("string", "")) for each in told["smartctl"].get("messages", ())]
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return SmartVerdict(
            state=SmartState.UNREAD, said=("smartctl did not answer as its manual says",)
        )
    if verdict is not None:
        return verdict
    said = tuple(each for each in complaints if each)
    if result.returncode & _NOT_OPENED:
        return SmartVerdict(state=SmartState.UNREAD, said=said)
    return SmartVerdict(state=SmartState.UNSUPPORTED, said=said or ("the disk has no SMART",))


def _verdict(told: dict[str, Any]) -> SmartVerdict | None:
    """Return the verdict in smartctl's JSON, None where it holds none."""
    passed = told.get("smart_status", {}).get("passed")
    if passed is None:
        return None
    failing = [*_failed_attributes(told), *_nvme_warnings(told)]
    if not passed and not failing and not _is_only_hot(told):
        failing = ["the disk says of itself that it is failing"]
    if failing:
        return SmartVerdict(state=SmartState.FAILING, said=tuple(failing))
    doubts = tuple(f"{count} {what}" for count, what in _counters(told) if count)
    if _is_only_hot(told):
        doubts = ("it is too hot", *doubts)
    return SmartVerdict(state=SmartState.SUSPECT if doubts else SmartState.PASSED, said=doubts)


def _attributes(told: dict[str, Any]) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = told.get("ata_smart_attributes", {}).get("table", [])
    return table


def _failed_attributes(told: dict[str, Any]) -> list[str]:
    return [
        f"its attribute {row['name']} is at or below its threshold"
        for row in _attributes(told)
        if row.get("when_failed") == "now" and row.get("flags", {}).get("prefailure")
    ]


def _critical_warning(told: dict[str, Any]) -> int:
    return int(told.get("nvme_smart_health_information_log", {}).get("critical_warning", 0))


def _nvme_warnings(told: dict[str, Any]) -> list[str]:
    warning = _critical_warning(told)
    return [what for bit, what in _NVME_WARNINGS.items() if warning & bit]


def _is_only_hot(told: dict[str, Any]) -> bool:
    return _critical_warning(told) == _NVME_HOT


def _counters(told: dict[str, Any]) -> list[tuple[int, str]]:
    """Return how many things could not be read, by all three families of disks."""
    ata = [
        (int(row["raw"]["value"]), _UNREADABLE[row["id"]])
        for row in _attributes(told)
        if row["id"] in _UNREADABLE
    ]
    nvme = told.get("nvme_smart_health_information_log", {}).get("media_errors", 0)
    scsi = told.get("scsi_error_counter_log", {}).get("read", {}).get("total_uncorrected_errors", 0)
    return [*ata, (int(nvme), "media errors"), (int(scsi), "reads that could not be corrected")]
