"""Disk health: SMART and the kernel's read errors."""

from dataclasses import replace
from pathlib import PurePosixPath

from rescue.errors import RescueError
from rescue.model.storage.disk import Disk
from rescue.model.storage.disk_health import DiskHealth
from rescue.model.storage.machine import Machine
from rescue.system.block import kernel_log, smart

# A sector that could not be read last night is still not read tonight; one of last month may be.
_RECENT = 48 * 3600.0


def with_health(machine: Machine, *disks: Disk | None) -> Machine:
    """Return the machine with how these disks are now, where they are attached."""
    asked = {disk.path: look(disk) for disk in disks if disk is not None}
    return replace(machine, health=tuple({**dict(machine.health), **asked}.items()))


def look(disk: Disk) -> DiskHealth:
    """Check one disk's health now. Never raises: the value says what could not be read."""
    names = {
        PurePosixPath(path).name for path in (disk.path, *(part.path for part in disk.partitions))
    }
    verdict = smart.ask(disk.path)
    try:
        return DiskHealth(smart=verdict, read_errors=kernel_log.read_errors(names, within=_RECENT))
    except RescueError as error:
        return DiskHealth(smart=verdict, unseen=f"the kernel's log: {error.message}")
