"""The plan of writing a medium to a stick, or every reason against it."""

from rescue.errors import ExitCode
from rescue.model.finding import Refusal, Refused
from rescue.model.medium import MEDIUM_TABLE, SECTOR, MediumImage, MediumPlan, MediumRequest
from rescue.model.mirror.record import DiskRef, MirrorRecord
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import names_of
from rescue.plan.checks.target_checks import find_target, in_order, target_refusals, what_is_lost
from rescue.units import human_bytes


def plan_medium(
    machine: Machine,
    request: MediumRequest,
    image: MediumImage,
    *,
    known: tuple[MirrorRecord, ...] = (),
) -> MediumPlan | Refused:
    """Given the machine, what was asked for and the image, return the plan or all refusals.

    `known` as for `medium_refusals`.
    """
    refusals = medium_refusals(machine, request, image, known=known)
    target, _ = find_target(machine, request.target)
    if refusals or target is None:
        return Refused(refusals)
    return MediumPlan(
        target_path=target.path,
        target_model=target.model,
        target_size=target.size,
        disk=target.id,
        names=names_of(machine, target),
        image=image,
        loses=what_is_lost(target),
        notes=_notes(target),
    )


def medium_refusals(
    machine: Machine,
    request: MediumRequest,
    image: MediumImage | None,
    *,
    known: tuple[MirrorRecord, ...] = (),
) -> tuple[Refusal, ...]:
    """Return every reason not to write a medium to that disk; `image` is None before it is built.

    `known` are the mirrors that this machine has enrolled and the one whose marker the stick itself
    carries: neither a mirror nor its source is ever made a medium.
    """
    target, unknown = find_target(machine, request.target)
    refusals = [*_root_refusals(machine), *unknown]
    if target is not None:
        refusals += _role_refusals(target, known)
        refusals += target_refusals(machine, target, None, give_up=request.give_up_content_of)
        refusals += _stick_refusals(target, request, image)
    return in_order(refusals)


def is_removable(disk: Disk) -> bool:
    """Whether a disk is portable: attached by USB, or reported so by its hardware."""
    return disk.transport == "usb" or disk.removable


def _root_refusals(machine: Machine) -> list[Refusal]:
    if machine.is_root:
        return []
    return [Refusal(code=ExitCode.USAGE, reason="only root can do this", hint="try it with sudo")]


def _role_refusals(target: Disk, known: tuple[MirrorRecord, ...]) -> list[Refusal]:
    """Refuse a disk that a record names, whatever consent was given."""
    return [
        _refused(
            f"{target.path} is the {role} '{record.name}' of {record.host}",
            "take another stick; if this disk is no longer needed, run 'wipefs --all' on it first",
        )
        for record in known
        for role, disk in (("mirror", record.mirror), ("source of mirror", record.source))
        if _is(target, disk)
    ]


def _is(target: Disk, disk: DiskRef) -> bool:
    same_table = target.table is not None and target.table.uuid == disk.table_uuid
    return same_table or target.id.same_disk(disk.id)


def _stick_refusals(
    target: Disk, request: MediumRequest, image: MediumImage | None
) -> list[Refusal]:
    """Refuse what is not a stick, or is too small."""
    refusals = []
    if not is_removable(target) and not target.id.is_named_by(request.accept_fixed):
        refusals.append(
            _refused(
                f"{target.path} ({target.transport or 'unknown transport'}) is not removable",
                "if you do mean this disk, confirm it by name: --accept-fixed "
                f"{target.id.name or 'SERIAL'}",
            )
        )
    if target.logical_sector != SECTOR:
        refusals.append(
            _refused(
                f"{target.path} has logical sectors of {target.logical_sector} bytes, the medium "
                f"has sectors of {SECTOR}",
                "take another stick",
            )
        )
    if image is not None and target.size < image.size:
        refusals.append(
            _refused(
                f"{target.path} is too small: it has {human_bytes(target.size)}, the medium needs "
                f"{human_bytes(image.size)} ({image.size - target.size} bytes more)",
                "take a larger stick, or leave the rescue system out",
            )
        )
    return refusals


def _notes(target: Disk) -> tuple[str, ...]:
    if target.table is not None and target.table.uuid == MEDIUM_TABLE:
        return ("the stick is already a rescue medium; it is rewritten",)
    return ()


def _refused(reason: str, hint: str) -> Refusal:
    return Refusal(code=ExitCode.REFUSED, reason=reason, hint=hint)
