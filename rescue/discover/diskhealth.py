"""How a disk is: its SMART, and the kernel's read errors; nothing of its content is read."""

from pathlib import PurePosixPath

from rescue.errors import RescueError
from rescue.model.disk import Disk
from rescue.model.diskhealth import DiskHealth
from rescue.system import kernellog, smart

# A sector that could not be read last night is still not read tonight; one of last month may be.
_RECENT = 48 * 3600.0


def look(disk: Disk) -> DiskHealth:
    """Look at one disk as it is now. Never raises: what could not be seen is said in the value."""
    names = {
        PurePosixPath(path).name for path in (disk.path, *(part.path for part in disk.partitions))
    }
    verdict = smart.ask(disk.path)
    try:
        return DiskHealth(smart=verdict, read_errors=kernellog.read_errors(names, within=_RECENT))
    except RescueError as error:
        return DiskHealth(smart=verdict, unseen=f"the kernel's log: {error.message}")
