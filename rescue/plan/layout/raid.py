"""RAID 1 below a mirrored server: what becomes of it on the mirror, and how it is now."""

from rescue.errors import ExitCode
from rescue.model.finding import Refusal
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.array import Array
from rescue.model.storage.device import Device
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine

_WHY = "an array with one member would be degraded for ever, and one disk boots without it"


def raid_notes(
    machine: Machine, source: Disk, record: MirrorRecord | None = None
) -> tuple[str, ...]:
    """Say what a mirror has in place of the arrays, and which of them are not whole.

    With a record it is a run, and which disks are there is worth knowing, too. An array that is
    degraded or copied onto a new member is no reason against a mirror: it is one for it.
    """
    used = _arrays(machine, source)
    if not used:
        return ()
    names = ", ".join(device.path for device, _ in used)
    made = () if record else (f"{names}: RAID 1, a plain partition each on the mirror ({_WHY})",)
    return (*made, *(_state(d, a) for d, a in used if a.trouble), *_gone(machine, record))


def unseen_refusals(machine: Machine) -> list[Refusal]:
    """Refuse a server on RAID 1: all of its mirror is planned, and none was seen to start yet."""
    source = machine.root_disk
    used = _arrays(machine, source) if source is not None else ()
    if not used:
        return []
    names = ", ".join(device.path for device, _ in used)
    return [
        Refusal(
            code=ExitCode.UNSUPPORTED,
            reason=f"the system is on RAID 1 (RAID array {names}), and no mirror of such a server "
            "was seen to start yet",
            hint="mirror it once rescue supports this layout; nothing was written",
        )
    ]


def _arrays(machine: Machine, source: Disk) -> tuple[tuple[Device, Array], ...]:
    """Return the arrays that the disk's partitions stand for."""
    paths = [part.path for part in source.partitions if part.array]
    found = [device for path in paths if (device := machine.graph.at(path)) is not None]
    return tuple((device, device.array) for device in found if device.array is not None)


def _state(device: Device, array: Array) -> str:
    wanted = ": a mirror is wanted all the more" if array.missing else ""
    return f"{device.path} ({array.trouble}){wanted}; see 'mdadm --detail {device.path}'"


def _gone(machine: Machine, record: MirrorRecord | None) -> tuple[str, ...]:
    """Note the recorded disks of the server that are not there."""
    twins = record.twins if record is not None else ()
    return tuple(
        f"{ref.id.name or ref.table_uuid}, the other disk of this server's RAID 1, is not there"
        for ref in twins
        if not machine.with_table(ref.table_uuid)
    )
