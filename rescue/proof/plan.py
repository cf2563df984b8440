"""The plan of a proof, or every reason against it."""

from rescue.errors import ExitCode
from rescue.model.boot.firmware import Firmware, GrubPlatform
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.proof import Firmwares, ProofPlan, ProofSettings
from rescue.model.storage.machine import Machine
from rescue.model.virtual import bus_like
from rescue.plan.checks.loader import firmware_refusals
from rescue.plan.checks.mirror_checks import (
    booted_refusals,
    find_mirror,
    marker_refusals,
    memory_refusals,
    sector_refusals,
)
from rescue.plan.checks.target_checks import in_order, machine_refusals

WRITES_MIB = 1024
"""What a boot writes at most, by far."""

_FIRMWARE = {GrubPlatform.I386_PC: Firmware.BIOS, GrubPlatform.X86_64_EFI: Firmware.UEFI}


def plan_proof(
    machine: Machine,
    record: MirrorRecord,
    marker: MirrorRecord | None,
    settings: ProofSettings,
    *,
    boots: tuple[str, ...] = (),
    homes: tuple[str, ...] = (),
    free_mib: int,
    room_mib: int,
) -> ProofPlan | Refused:
    """Given the machine and the record of one mirror, return what is booted, or every refusal.

    `marker` and `boots` are what the mirror's root says, `homes` the folders of users that are on
    the source, `free_mib` the memory that can be given away and `room_mib` the
    room in /var/tmp (MiB).
    """
    disk, refusals = find_mirror(machine, record)
    refusals += [*machine_refusals(machine), *firmware_refusals(machine)]
    if disk is not None:
        refusals += marker_refusals(record, marker, mirror=disk)
        refusals += booted_refusals(record, boots) + sector_refusals(disk)
    refusals += _state_refusals(record, marker) + _room_refusals(settings, free_mib, room_mib)
    if refusals or disk is None:
        return Refused(in_order(refusals))
    return ProofPlan(
        record=record,
        disk=disk.path,
        shown=disk.id,
        firmwares=firmwares(record, own=machine.boot.firmware, wanted=settings.firmware),
        bus=bus_like(disk),
        homes=homes,
        settings=settings,
    )


def firmwares(record: MirrorRecord, *, own: Firmware, wanted: Firmwares) -> tuple[Firmware, ...]:
    """Return with which firmware the mirror is booted, the machine's own first."""
    able = [_FIRMWARE[platform] for platform in record.platforms]
    others = [each for each in able if each is not own]
    return (own, *others) if wanted is Firmwares.BOTH else (own,)


def is_due(record: MirrorRecord) -> bool:
    """Whether the last complete run of a mirror is not proven, or failed its proof."""
    return record.proof is None or not record.proof.passed


def _state_refusals(record: MirrorRecord, marker: MirrorRecord | None) -> list[Refusal]:
    """Refuse a mirror that its record, or its own marker, says is not complete."""
    states = [record.state, *([marker.state] if marker else [])]
    state = next((each for each in states if each is not MirrorState.COMPLETE), None)
    if state is None:
        return []
    return [
        Refusal(
            code=ExitCode.REFUSED,
            reason=f"mirror '{record.name}' is not complete: {state}",
            hint=f"run 'rescue mirror {record.name}' first",
        )
    ]


def _room_refusals(settings: ProofSettings, free_mib: int, room_mib: int) -> list[Refusal]:
    """Refuse where the boot would be stopped by this machine, and the mirror be blamed for it."""
    hint = "lower 'prove.memory_mib' in the configuration, or run the proof at a quieter time"
    refusals = memory_refusals(settings.memory_mib, free_mib, hint=hint)
    if room_mib < WRITES_MIB:
        refusals.append(
            Refusal(
                code=ExitCode.FAILED,
                reason=f"/var/tmp has {room_mib} MiB of room, and what a boot writes is kept "
                f"there: up to {WRITES_MIB} MiB",
                hint="make room there, and run the proof again",
            )
        )
    return refusals
