"""Files injected into a mounted tree, without following its symbolic links.

A link in such a tree may be absolute, and lead to the running system itself.
"""

from pathlib import Path

from rescue import paths
from rescue.errors import RescueError
from rescue.system.files.paired_trees import link_on_the_way

_GETTY = "etc/systemd/system/serial-getty@ttyS1.service"
_PATIENCE_TEXT = """[Manager]
DefaultDeviceTimeoutSec={seconds:.0f}
DefaultTimeoutStartSec={seconds:.0f}
"""


def lay(root: Path, inside: str, data: bytes) -> Path:
    """Write a file, with the folders it needs, and return its path.

    Raises RescueError where a folder on the way is a link, OSError where it cannot be written.
    """
    path = _place(root, inside)
    with path.open("xb") as file:
        file.write(data)
    return path


def lay_link(root: Path, inside: str, target: str) -> None:
    """Make a symbolic link, with the folders it needs. Raises what `lay` raises."""
    _place(root, inside).symlink_to(target)


def lay_patience(root: Path, seconds: float) -> None:
    """Set how long systemd waits for devices and for units to start (man 5 systemd-system.conf).

    Its own 90 s suit a real machine: a guest that has to wait for a processor, because others
    are busy, would lose every file system that is waited for. Raises what `lay` raises.
    """
    lay(root, paths.GUEST_SETTINGS, _PATIENCE_TEXT.format(seconds=seconds).encode())


def lay_silence(root: Path) -> None:
    """Mask the getty on the second serial port, reserved for the report (man 5 systemd.unit).

    Whatever starts one ('console=ttyS1' does), it would hang up the line (TTYVHangup, man 5
    systemd.exec), and output sent at that moment would be lost. Raises what `lay` raises.
    """
    lay_link(root, _GETTY, "/dev/null")


def _place(root: Path, inside: str) -> Path:
    """Return where a file goes, with its folders made, and what was there removed."""
    parent = str(Path(inside).parent)
    if link := link_on_the_way(root, parent):
        raise RescueError(f"{link} on the mirror is a link: nothing can be laid behind it")
    (root / parent).mkdir(parents=True, exist_ok=True)
    path = root / inside
    path.unlink(missing_ok=True)
    return path
