"""Canonical names of block devices, whatever name a tool used."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rescue.model.storage.mount import Mount


@dataclass(frozen=True, kw_only=True)
class Names:
    """Our name for a device by its number ('254:1'), as the disk listing uses it.

    mountinfo can say /dev/root, fstab /dev/disk/by-id/..., /proc/swaps /dev/dm-1.
    """

    numbers: Mapping[str, str]

    def of_mount(self, mount: Mount) -> Mount:
        """Return the mount with our name for its device, or unchanged if there is none.

        What lies on no device and calls itself one is called by its kind.
        """
        if not mount.is_block:
            return replace(mount, device=mount.fstype) if "/dev/" in mount.device else mount
        # btrfs has no device number of a disk: its source is a name to follow.
        known = self.numbers.get(mount.major_minor) or ":".join(
            self.of_path(path) or path for path in mount.device.split(":")
        )
        return replace(mount, device=known)

    def of_path(self, path: str) -> str:
        """Return our name for the block device at a path, or '' if there is no such device.

        A device that we do not list (a loop device) keeps its real path.
        """
        if not path.startswith("/dev/"):
            return ""
        try:
            info = Path(path).stat()
        except OSError:
            return ""
        if not stat.S_ISBLK(info.st_mode):
            return ""
        number = f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"
        return self.numbers.get(number, str(Path(path).resolve()))

    def of_swap(self, path: str) -> str:
        """Return our name for a swap device; a swap file keeps its path."""
        return self.of_path(path) or path
