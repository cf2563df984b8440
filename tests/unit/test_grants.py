"""Leave to write: only for the disk that was named, and only from the one place that gives it."""

import pytest

from rescue.errors import ExitCode, RefusedError
from rescue.grants import (
    GuardRefusedError,
    MarkerGrant,
    WriteGrant,
    grant_disk,
    grant_marker,
    unless_refused,
)
from rescue.model.boot.firmware import Firmware
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.identifiers import IdentifierMap
from rescue.model.mirror.plan import Plan, PlanKind
from rescue.model.mirror.record import DiskRef, MirrorRecord
from rescue.model.proof import ProofPlan, ProofSettings
from rescue.model.storage.identity import DiskId
from rescue.model.virtual import DiskBus

MIRROR = DiskId(serial="MIR0001", by_id=("virtio-MIR0001",))


def plan_for(disk: DiskId) -> Plan:
    source = DiskRef(id=DiskId(serial="SRC0001"), table_uuid="s")
    record = MirrorRecord(
        name="attic",
        host="server",
        machine_id="m",
        source=source,
        mirror=DiskRef(id=disk, table_uuid="t"),
        filesystems=(),
        swaps=(),
        identifiers=IdentifierMap(),
        platforms=(),
    )
    return Plan(kind=PlanKind.PREPARE, target_path="/dev/vdb", record=record, steps=())


@pytest.mark.parametrize("typed", ["MIR0001", " MIR0001 ", "/dev/disk/by-id/virtio-MIR0001"])
def test_the_right_name_gives_leave(typed: str) -> None:
    assert grant_disk(plan_for(MIRROR), named=typed).disk == MIRROR


@pytest.mark.parametrize("typed", ["", "/dev/vdb", "vdb", "SRC0001", "mir0001", "MIR000", "y"])
def test_any_other_word_gives_none(typed: str) -> None:
    with pytest.raises(RefusedError) as caught:
        grant_disk(plan_for(MIRROR), named=typed)
    assert caught.value.code == ExitCode.REFUSED


def test_a_disk_without_identity_can_never_be_named() -> None:
    with pytest.raises(RefusedError):
        grant_disk(plan_for(DiskId()), named="")


def test_a_grant_cannot_be_forged() -> None:
    with pytest.raises(AssertionError):
        WriteGrant(plan=plan_for(MIRROR), disk=MIRROR, _mint=object())


@pytest.mark.parametrize("seen", [DiskId(), DiskId(serial="OTHER"), DiskId(wwn="0x5000")])
def test_another_disk_at_the_same_place_is_refused_when_opened(seen: DiskId) -> None:
    grant = grant_disk(plan_for(MIRROR), named="MIR0001")
    grant.check(MIRROR, path="/dev/vdb")
    with pytest.raises(RefusedError):
        grant.check(seen, path="/dev/vdb")


def test_refusals_are_all_carried_and_the_first_gives_the_exit_code() -> None:
    reasons = (
        Refusal(code=ExitCode.UNSUPPORTED, reason="root is on LVM"),
        Refusal(code=ExitCode.REFUSED, reason="the disk is mounted"),
    )
    with pytest.raises(GuardRefusedError) as caught:
        unless_refused(Refused(reasons))
    assert caught.value.refusals == reasons
    assert caught.value.code == ExitCode.UNSUPPORTED


def test_a_refusal_has_a_reason() -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Refused(())


def proof_plan(disk: DiskId) -> ProofPlan:
    return ProofPlan(
        record=plan_for(MIRROR).record,
        disk="/dev/vdb",
        shown=disk,
        firmwares=(Firmware.BIOS,),
        bus=DiskBus.VIRTIO,
        settings=ProofSettings(),
    )


def test_a_grant_for_a_marker_is_for_the_disk_that_was_booted() -> None:
    grant = grant_marker(proof_plan(MIRROR))
    grant.check(MIRROR, path=grant.path)
    assert grant.path == "/dev/vdb"
    with pytest.raises(RefusedError, match="not the disk that was confirmed"):
        grant.check(DiskId(serial="OTHER01"), path=grant.path)


def test_a_grant_for_a_marker_cannot_be_forged() -> None:
    with pytest.raises(AssertionError, match=r"made by rescue\.grants alone"):
        MarkerGrant(plan=proof_plan(MIRROR), disk=MIRROR, _mint=object())
