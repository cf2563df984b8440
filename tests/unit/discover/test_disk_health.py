"""A disk's own verdict and the kernel's read errors, from recorded output of the tools."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.errors import RescueError
from rescue.model.storage.disk_health import DiskHealth, SmartState, SmartVerdict
from rescue.system.block.kernel_log import KernelLine, errors_in, parse_lines
from rescue.system.block.smart import parse, smart_argv
from rescue.system.process.run import Result

DATA = Path(__file__).parents[2] / "data/smart"

MEDIUM = "critical medium error, dev sda, sector 1234 op 0x0:(READ) flags 0x80700 phys_seg 1"
OLDER = "blk_update_request: I/O error, dev sda, sector 7 op 0x0:(READ) flags 0x0 phys_seg 1"
BUFFER = "Buffer I/O error on dev sda1, logical block 66288, async page read"
WRITE = "I/O error, dev sda, sector 99 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2"


def answer(told: Any, code: int = 0) -> SmartVerdict:
    text = told if isinstance(told, str) else json.dumps(told)
    return parse(Result(argv=("smartctl",), returncode=code, stdout=text, stderr=""))


def recorded(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((DATA / name).read_text("utf-8"))
    return told


def test_a_disk_is_asked_without_waking_it() -> None:
    assert smart_argv("/dev/sda") == [
        "smartctl",
        "--json",
        "--nocheck=standby,5",
        "--health",
        "--attributes",
        "/dev/sda",
    ]


@pytest.mark.parametrize("name", ["ata-passed.json", "nvme-passed.json"])
def test_a_good_disk_passes(name: str) -> None:
    assert answer(recorded(name)) == SmartVerdict(state=SmartState.PASSED)


def test_a_disk_without_smart_says_so() -> None:
    verdict = answer(recorded("virtio.json"), 1)
    assert verdict.state is SmartState.UNSUPPORTED
    assert verdict.said == ("/dev/vda: Unable to detect device type",)


def test_a_sleeping_disk_is_left_asleep() -> None:
    assert answer("", 5).state is SmartState.ASLEEP


def test_a_disk_that_cannot_be_opened_has_no_verdict() -> None:
    said = "Smartctl open device: /dev/sdx failed: No such device"
    verdict = answer({"smartctl": {"messages": [{"string": said, "severity": "error"}]}}, 2)
    assert verdict == SmartVerdict(state=SmartState.UNREAD, said=(said,))


def pending(told: dict[str, Any]) -> None:
    told["ata_smart_attributes"]["table"][1]["raw"]["value"] = 8


def refused(told: dict[str, Any]) -> None:
    told["smart_status"]["passed"] = False


def below(told: dict[str, Any]) -> None:
    told["ata_smart_attributes"]["table"][0]["when_failed"] = "now"


def below_once(told: dict[str, Any]) -> None:
    told["ata_smart_attributes"]["table"][0]["when_failed"] = "past"


@pytest.mark.parametrize(
    ("change", "code", "state", "said"),
    [
        (pending, 0, SmartState.SUSPECT, "8 sectors that wait to be read"),
        (refused, 8, SmartState.FAILING, "the disk says of itself that it is failing"),
        (below, 16, SmartState.FAILING, "Reallocated_Sector_Ct is at or below its threshold"),
        (below_once, 32, SmartState.PASSED, ""),
    ],
)
def test_an_ata_disk(
    change: Callable[[dict[str, Any]], None], code: int, state: SmartState, said: str
) -> None:
    told = recorded("ata-passed.json")
    change(told)
    verdict = answer(told, code)
    assert verdict.state is state
    assert said in "".join(verdict.said)


@pytest.mark.parametrize(
    ("warning", "errors", "state", "said"),
    [
        (0, 3, SmartState.SUSPECT, "3 media errors"),
        (1, 0, SmartState.FAILING, "spare blocks"),
        (2, 0, SmartState.SUSPECT, "too hot"),
        (4 + 2, 0, SmartState.FAILING, "no longer reliable"),
        (8, 0, SmartState.FAILING, "read-only"),
    ],
)
def test_an_nvme_disk(warning: int, errors: int, state: SmartState, said: str) -> None:
    told = recorded("nvme-passed.json")
    told["nvme_smart_health_information_log"] |= {
        "critical_warning": warning,
        "media_errors": errors,
    }
    told["smart_status"]["passed"] = warning == 0
    verdict = answer(told, 8 if warning else 0)
    assert verdict.state is state
    assert said in "".join(verdict.said)


def test_a_sas_disk_that_could_not_correct() -> None:
    told = {
        "smartctl": {"exit_status": 0},
        "smart_status": {"passed": True},
        "scsi_error_counter_log": {"read": {"total_uncorrected_errors": 5}},
    }
    assert answer(told).said == ("5 reads that could not be corrected",)


KEYS = st.sampled_from(
    ["smartctl", "smart_status", "passed", "messages", "ata_smart_attributes", "table", "id", "raw"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(told=JSON, code=st.integers(0, 255))
def test_whatever_smartctl_prints_no_verdict_is_invented(told: object, code: int) -> None:
    verdict = answer(told, code)
    if verdict.state in (SmartState.PASSED, SmartState.SUSPECT, SmartState.FAILING):
        assert isinstance(told, dict)
        assert told["smart_status"]["passed"] is not None


def test_read_errors_are_found_by_device_and_direction() -> None:
    lines = tuple(
        KernelLine(at=at, text=text)
        for at, text in enumerate(
            (OLDER, WRITE, MEDIUM.replace("sda", "sdb"), "usb 1-1: new device", BUFFER, MEDIUM)
        )
    )
    assert errors_in(lines, {"sda", "sda1"}) == (OLDER, BUFFER, MEDIUM)
    assert errors_in(lines, {"sdc"}) == ()


def test_dmesg_is_read_as_json() -> None:
    text = '{"dmesg": [{"pri": 3, "time": 8555.982027, "msg": "a \\"line\\""}]}'
    assert parse_lines(text) == (KernelLine(at=8555.982027, text='a "line"'),)


def test_what_speaks_against_a_disk() -> None:
    passed = SmartVerdict(state=SmartState.PASSED)
    absent = SmartVerdict(state=SmartState.NO_TOOL, said=("smartctl is not installed",))
    assert not DiskHealth(smart=passed).is_failing
    assert DiskHealth(smart=absent).reasons == ()
    broken = DiskHealth(smart=absent, read_errors=(OLDER, MEDIUM))
    assert broken.is_failing
    assert broken.reasons == (
        f"2 read errors in the kernel's log in the last two days, the last: {MEDIUM}",
    )
    suspect = DiskHealth(smart=SmartVerdict(state=SmartState.SUSPECT, said=("3 media errors",)))
    assert not suspect.is_failing
    assert suspect.reasons == ("3 media errors",)


@pytest.mark.parametrize(
    "text",
    ["[]", '{"dmesg": {}}', '{"dmesg": [1]}', '{"dmesg": [{"time": 1, "msg": 2}]}', "[" * 100_000,
     f'{{"dmesg": [{{"time": 1{"0" * 400}, "msg": "a"}}]}}'],
)  # fmt: skip
def test_what_is_no_list_of_lines_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(RescueError, match="dmesg"):
        parse_lines(text)


@pytest.mark.parametrize("value", ["Infinity", "1e999", "[" * 100_000])
def test_counters_without_end_are_no_verdict(value: str) -> None:
    row = f'{{"id": 197, "name": "a", "raw": {{"value": {value}}}}}'
    text = (
        f'{{"smartctl": {{}}, "smart_status": {{"passed": true}}, '
        f'"ata_smart_attributes": {{"table": [{row}]}}}}'
    )
    verdict = parse(Result(argv=(), returncode=0, stdout=text, stderr=""))
    assert verdict.state is SmartState.UNREAD
