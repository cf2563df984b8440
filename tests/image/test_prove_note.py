"""What a failed proof leaves on the mirror: its marker and the boot menu's note, nothing else."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.apply.engine import apply_plan
from rescue.apply.marker import store_marker, store_proof
from rescue.model.boot.firmware import BootTimes
from rescue.model.mirror.record import MirrorState
from rescue.model.run.exposure import Proven
from rescue.store.records import load_boots, load_marker
from tests.image.loopdisks import ChildError, DiskPair, disk_pair, in_child, tree_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]


@pytest.fixture(name="pair")
def pair_(tmp_path: Path) -> Iterator[DiskPair]:
    """A mirror that is complete, and was started once since."""
    with disk_pair(tmp_path) as made:
        first = made.plan(first=True)
        done = replace(made.record, state=MirrorState.COMPLETE, generation=1)

        def action() -> None:
            apply_plan(first, made.grant(first), emit=lambda _: None, site=made.site)
            store_marker(done, made.grant(first), site=made.site)

        in_child(action)
        with made.mirror_seen() as mirror:
            (mirror / ".rescue/booted").write_text("id 2026-11-24T01:02:03Z\n")
        yield made


def test_a_failure_is_noted_and_that_it_was_started_is_not_forgotten(pair: DiskPair) -> None:
    failed = Proven(generation=1, at=1.0, times=BootTimes(total=9.0), cause="GRUB: no kernel")
    record = replace(pair.record, state=MirrorState.COMPLETE, generation=1)
    with pair.mirror_seen() as mirror:
        before = tree_of(mirror, (".rescue",))
    in_child(lambda: store_proof(failed, pair.leave_for_marker(record), site=pair.site))
    with pair.mirror_seen() as mirror:
        marker = load_marker(mirror)
        assert marker is not None
        assert marker.last_proof == failed
        assert marker.state is MirrorState.COMPLETE
        assert b"\nmirror_proof=failed\n" in (mirror / ".rescue/mirror.env").read_bytes()
        assert load_boots(mirror) == ("2026-11-24T01:02:03Z",)
        assert tree_of(mirror, (".rescue",)) == before


def test_another_mirrors_proof_is_not_written(pair: DiskPair) -> None:
    record = replace(pair.record, name="other")
    passed = Proven(generation=1, at=1.0, times=BootTimes(total=9.0))
    with pytest.raises(ChildError, match="expected was 'other'"):
        in_child(lambda: store_proof(passed, pair.leave_for_marker(record), site=pair.site))
