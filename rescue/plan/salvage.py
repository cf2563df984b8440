"""The plan of a salvage into an image file, or every reason against it."""

from collections.abc import Iterator
from dataclasses import dataclass

from rescue.errors import ExitCode
from rescue.model.finding import Refusal, Refused
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine
from rescue.plan.checks.target_checks import find_target, in_order
from rescue.units import human_bytes


@dataclass(frozen=True, kw_only=True)
class SalvagePlan:
    """Read `disk` (`size` bytes) into the file `image`; `resumes` where it was begun before."""

    disk: str
    name: str
    size: int
    image: str
    resumes: bool


@dataclass(frozen=True, kw_only=True)
class Place:
    """The image's destination: absolute path without links, and what is already there.

    `free` is in bytes; `taken` is what an unfinished image already takes of them, and
    `begun_from` the identity of the disk that it was begun from, '' where it is not recorded.
    """

    path: str
    free: int
    taken: int = 0
    exists: bool = False
    has_map: bool = False
    begun_from: str = ""


def plan_salvage(machine: Machine, target: str, place: Place) -> SalvagePlan | Refused:
    """Given the disk by any of its names and the place, return the plan or all refusals."""
    disk, unknown = find_target(machine, target)
    refusals = list(unknown)
    if not machine.is_root:
        refusals.append(
            Refusal(code=ExitCode.USAGE, reason="only root can do this", hint="try it with sudo")
        )
    if disk is not None:
        refusals += _disk_refusals(machine, disk)
        refusals += _place_refusals(machine, disk, place)
        refusals += _resume_refusals(disk, place)
        refusals += _room_refusals(disk, place)
    if refusals or disk is None:
        return Refused(in_order(refusals))
    return SalvagePlan(
        disk=disk.path,
        name=_name(disk),
        size=disk.size,
        image=place.path,
        resumes=place.exists and place.has_map,
    )


def _disk_refusals(machine: Machine, disk: Disk) -> Iterator[Refusal]:
    running = machine.root_disk
    if running is not None and running.path == disk.path:
        yield _no(f"{disk.path} is the disk that this machine runs from", _OTHER)
    for use in disk.all_uses:
        yield _no(f"{disk.path} is in use ({use.kind} {use.where})", f"release {use.where} first")


def _place_refusals(machine: Machine, disk: Disk, place: Place) -> Iterator[Refusal]:
    holder = _device_of(machine, place.path)
    if holder in (disk.path, *(part.path for part in disk.partitions)):
        yield _no(f"{place.path} lies on {disk.path} itself", "name another place")
    if place.path == "/dev" or place.path.startswith("/dev/"):
        yield _no(f"{place.path} cannot be a file", "name a file on a disk")


def _resume_refusals(disk: Disk, place: Place) -> Iterator[Refusal]:
    """Say where what was begun cannot be gone on with: image and map belong together."""
    if place.exists and not place.has_map:
        yield _no(
            f"{place.path} exists, and there is no map of ddrescue ({place.path}.map) beside it",
            "name a new file, or remove that one",
        )
    if place.has_map and not place.exists:
        yield _no(
            f"{place.path}.map exists, but the image that it belongs to does not",
            "what it lists as read would be missing: name a new file, or remove the map",
        )
    name = _name(disk)
    if place.has_map and place.begun_from not in ("", name):
        yield _no(
            f"{place.path} was begun from disk {place.begun_from}, but {disk.path} is {name}",
            "name a new file: an image can only be of one disk",
        )


def _room_refusals(disk: Disk, place: Place) -> Iterator[Refusal]:
    short = disk.size - place.taken - place.free
    if short > 0:
        yield _no(
            f"{place.path} has too little room: {disk.path} has {human_bytes(disk.size)}, "
            f"{human_bytes(place.free)} are free ({human_bytes(short)} short)",
            "name a place on a larger disk; nothing was written",
        )


def _name(disk: Disk) -> str:
    return disk.id.name or disk.path


_OTHER = "name the dead disk; 'rescue disks' lists them"


def _device_of(machine: Machine, path: str) -> str:
    """Return the device that holds a path."""
    holding = machine.mount_holding(path)
    return holding.device if holding else ""


def _no(reason: str, hint: str) -> Refusal:
    return Refusal(code=ExitCode.REFUSED, reason=reason, hint=hint)
