"""Metrics, judged by Prometheus' own parser, and the line for monitoring systems."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from rescue.model.boot.firmware import BootTimes
from rescue.model.mirror.record import FreeSpace, MirrorState
from rescue.model.mirror.role import Role
from rescue.model.run.exposure import Exposure, Proven
from rescue.model.run.history import RunFigures
from rescue.model.run.status import Health, MirrorStatus, Status
from rescue.model.storage.disk_health import DiskHealth, SmartState, SmartVerdict
from rescue.printable import printable
from rescue.status.metrics import Family, Sample, _text, exposition
from rescue.ui.status.monitor import monitor_line, unknown_line

NOW = 1_700_000_000.0
ANY_TEXT = st.text() | st.text(alphabet="\\\"\n|='{}, ü")

MIRROR = MirrorStatus(
    name="MIRROR01",
    disk="MIR0001",
    health=Health.GOOD,
    state=MirrorState.COMPLETE,
    generation=7,
    last_complete=NOW - 25_920,
    age=25_920.0,
    last_error="",
    attached=True,
    took=800.0,
    figures=RunFigures(
        files_total=120_000,
        files_changed=37,
        bytes_changed=5_000_000_000_000,
        deletions=2,
        vanished=1,
        unreadable=0,
    ),
    free=(FreeSpace(mount_point="/", size=3_000, free=1_000),),
    proof=Proven(at=NOW - 3600, times=BootTimes(total=41.5), generation=7),
)
STATUS = Status(
    host="server",
    health=Health.GOOD,
    runs_from=Role.SOURCE,
    device="/dev/vda",
    disk="SRC0001",
    mirrors=(MIRROR,),
    at=NOW,
    overdue_after=129_600.0,
    critical_after=345_600.0,
    disk_health=DiskHealth(smart=SmartVerdict(state=SmartState.FAILING, said=("bad",))),
    exposure=Exposure(mirror="MIRROR01", lost=26_000.0, failback=3_120.0),
)


def parsed(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return what Prometheus reads: for each metric its labels and values."""
    return {
        family.name: [(dict(sample.labels), sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(text)
    }


def test_the_figures_arrive_in_prometheus() -> None:
    read = parsed(exposition(STATUS))
    label = {"mirror": "MIRROR01"}
    assert read["rescue_health"] == [({}, 0.0)]
    assert read["rescue_mirror_last_complete_timestamp_seconds"] == [(label, NOW - 25_920)]
    assert read["rescue_mirror_last_run_changed_bytes"] == [(label, 5e12)]
    assert read["rescue_mirror_free_bytes"] == [({**label, "mount_point": "/"}, 1000.0)]
    assert read["rescue_mirror_proof_boot_seconds"] == [(label, 41.5)]
    assert read["rescue_failback_seconds"] == [({}, 3120.0)]
    source = {"disk": "SRC0001", "role": "source"}
    assert read["rescue_disk_failing"] == [(source, 1.0)]
    assert read["rescue_disk_smart"] == [({**source, "state": "failing"}, 1.0)]


def test_what_was_not_measured_has_no_sample_and_never_is_zero() -> None:
    bare = replace(MIRROR, last_complete=0.0, figures=None, free=(), proof=None)
    read = parsed(exposition(replace(STATUS, mirrors=(bare,), exposure=None, disk_health=None)))
    assert read["rescue_mirror_last_complete_timestamp_seconds"] == [({"mirror": "MIRROR01"}, 0.0)]
    for name in ("rescue_mirror_proof_passed", "rescue_mirror_free_bytes", "rescue_disk_failing"):
        assert name not in read
    assert "rescue_failback_seconds" not in read


@given(name=ANY_TEXT, mount_point=ANY_TEXT)
def test_no_name_breaks_the_format(name: str, mount_point: str) -> None:
    room = FreeSpace(mount_point=mount_point, size=3, free=1)
    text = exposition(replace(STATUS, mirrors=(replace(MIRROR, name=name, free=(room,)),)))
    expected, where = printable(name), printable(mount_point)
    read = parsed(text)
    assert read["rescue_mirror_generation"] == [({"mirror": expected}, 7.0)]
    assert read["rescue_mirror_free_bytes"] == [({"mirror": expected, "mount_point": where}, 1.0)]


@given(meaning=ANY_TEXT, value=st.floats(allow_nan=False))
def test_no_value_and_no_explanation_breaks_the_format(meaning: str, value: float) -> None:
    family = Family(name="x", meaning=meaning, samples=(Sample(value=value),))
    (read,) = text_string_to_metric_families(_text(family))
    assert [sample.value for sample in read.samples] == [value]


def test_each_metric_is_explained_once() -> None:
    two = replace(STATUS, mirrors=(MIRROR, replace(MIRROR, name="MIRROR02")))
    text = exposition(two)
    helps = re.findall(r"^# HELP (\S+)", text, re.MULTILINE)
    assert len(helps) == len(set(helps))
    assert len(parsed(text)["rescue_mirror_generation"]) == 2


def test_the_monitoring_line_says_the_age_first() -> None:
    assert monitor_line(replace(STATUS, disk_health=None)) == (
        "RESCUE OK - mirror 'MIRROR01' is 7 h 12 min old | age=25920s;129600;345600;0 "
        "'age_MIRROR01'=25920s;;;0 'free_MIRROR01_/'=1000B;;;0;3000"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"state": MirrorState.FAILED, "last_error": "the cable"},
            "not complete: its last run is failed, mirror 'MIRROR01': the cable",
        ),
        ({"overdue_after": 3600.0}, "overdue: 7 h 12 min old, its limit is 60 min"),
        (
            {"proof": Proven(at=NOW, times=BootTimes(total=0), generation=7, cause="no kernel")},
            "failed its proof: no kernel",
        ),
        ({"last_complete": 0.0}, "is not complete"),
    ],
)
def test_the_monitoring_line_says_what_is_wrong(changes: dict[str, object], said: str) -> None:
    ill = replace(MIRROR, **changes)  # type: ignore[arg-type]
    line = monitor_line(replace(STATUS, health=Health.CRITICAL, mirrors=(ill,)))
    assert line.startswith("RESCUE CRITICAL - ")
    assert said in line
    assert "disk SRC0001: bad" in line


def test_what_nobody_knows_is_unknown() -> None:
    never = replace(MIRROR, last_complete=0.0)
    line = monitor_line(replace(STATUS, mirrors=(never,), overdue_after=0.0, critical_after=0.0))
    assert "| age=U;;;0 " in line
    assert unknown_line("not\nroot") == r"RESCUE UNKNOWN - not\nroot"


FIGURE = re.compile(r"(?:[a-z]+|'[^'=]+')=(?:U|[0-9]+(?:s|B));[0-9]*;[0-9]*;0(?:;[0-9]+)?")


@given(name=ANY_TEXT.filter(bool), error=ANY_TEXT, mount_point=ANY_TEXT)
def test_the_monitoring_line_is_one_line_with_one_bar(
    name: str, error: str, mount_point: str
) -> None:
    room = FreeSpace(mount_point=mount_point, size=3, free=1)
    ill = replace(MIRROR, name=name, last_error=error, free=(room,))
    line = monitor_line(replace(STATUS, mirrors=(ill,)))
    assert len(line.splitlines()) == 1
    assert line.count("|") == 1
    figures = line.partition(" | ")[2]
    assert FIGURE.sub("", figures).strip() == ""
