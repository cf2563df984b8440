"""Disks of guests: qcow2 files that can be made, broken and read while no guest uses them."""

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

_SECTOR = 512
_BLOCK = 65536


class DiskModel(StrEnum):
    """What the disk is to the guest, in QEMU's words. The cloud kernel only drives virtio."""

    VIRTIO = "virtio-blk-pci"
    NVME = "nvme"
    USB = "usb-storage"
    SCSI = "scsi-hd"
    IDE = "ide-hd"

    @property
    def comes_and_goes(self) -> bool:
        """Whether it can be plugged into a running guest; QEMU's SATA ports cannot."""
        return self is not DiskModel.IDE

    @property
    def can_be_frozen(self) -> bool:
        """Whether QEMU can keep its state, and with it that of a running guest."""
        return self is not DiskModel.NVME


def partition(device: str, number: int) -> str:
    """Return the path of a disk's partition: /dev/vda4, /dev/nvme0n1p4."""
    return f"{device}p{number}" if device[-1].isdigit() else f"{device}{number}"


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A disk image file and how it is attached to a guest.

    `shows` is another serial than its own that an adapter shows the guest.
    """

    path: Path
    serial: str
    model: DiskModel = DiskModel.VIRTIO
    sector_size: int = 512
    read_only: bool = False
    shows: str = ""

    @classmethod
    def blank(cls, path: Path, *, size: int, serial: str) -> "Disk":
        """Make a disk of `size` bytes that holds nothing but zeros."""
        _qemu_img("create", "-q", "-f", "qcow2", str(path), str(size))
        return cls(path=path, serial=serial)

    @classmethod
    def overlay(cls, base: Path, path: Path, *, serial: str) -> "Disk":
        """Make a copy-on-write copy of another qcow2 image, which must not change from now on."""
        backing = ["-b", str(base.resolve()), "-F", "qcow2"]
        _qemu_img("create", "-q", "-f", "qcow2", *backing, str(path))
        return cls(path=path, serial=serial)

    def copy(self, path: Path) -> "Disk":
        """Make a copy-on-write copy, the same to a guest down to the serial number."""
        self.overlay(self.path, path, serial=self.serial)
        return replace(self, path=path)

    def attached_as(
        self, model: DiskModel, *, sector_size: int = 512, read_only: bool = False
    ) -> "Disk":
        """Return the same disk behind another controller, with another sector size, or locked."""
        return replace(self, model=model, sector_size=sector_size, read_only=read_only)

    @property
    def size(self) -> int:
        """Size in bytes as a guest sees it."""
        shown = _qemu_img("info", "--output=json", "--force-share", str(self.path))
        return int(json.loads(shown)["virtual-size"])

    def read(self, offset: int, length: int) -> bytes:
        """Return what a guest would read there."""
        start = offset % _SECTOR
        size = -(-(start + length) // _SECTOR) * _SECTOR
        inner = {"driver": "qcow2", "file": {"driver": "file", "filename": str(self.path)}}
        window = {"driver": "raw", "offset": offset - start, "size": size, "file": inner}
        with tempfile.TemporaryDirectory() as directory:
            part = Path(directory) / "part"
            _qemu_img("convert", "-O", "raw", f"json:{json.dumps(window)}", str(part))
            return part.read_bytes()[start : start + length]

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes anywhere on the disk."""
        with tempfile.NamedTemporaryFile() as pattern:
            pattern.write(data)
            pattern.flush()
            self._qemu_io(f"write -s {pattern.name} {offset} {len(data)}")

    def zero(self, offset: int, length: int) -> None:
        """Overwrite a range with zeros: a destroyed boot sector, superblock, partition table."""
        self._qemu_io(f"write -z {offset} {length}")

    def _qemu_io(self, command: str) -> None:
        argv = ["qemu-io", "-f", "qcow2", "-c", command, str(self.path)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        if "wrote" not in done.stdout:
            raise OSError(f"qemu-io {command}: {done.stdout}{done.stderr}")

    @contextmanager
    def as_raw(self) -> Iterator[Path]:
        """Give the content as a sparse raw file, for sfdisk, sgdisk, pyparted, dumpe2fs."""
        with tempfile.TemporaryDirectory(dir=self.path.parent) as directory:
            raw = Path(directory) / "disk.raw"
            _qemu_img("convert", "-O", "raw", "-S", "4k", str(self.path), str(raw))
            yield raw

    def digest(self) -> str:
        """Return a hash of all a guest can read: equal if and only if the contents are equal."""
        with self.as_raw() as raw:
            return _sparse_digest(raw)


def _sparse_digest(raw: Path) -> str:
    """Hash position and content of each block that is not all zero; holes cost nothing."""
    total = hashlib.sha256(str(raw.stat().st_size).encode())
    zeros = bytes(_BLOCK)
    with raw.open("rb") as stream:
        offset = _next_data(stream.fileno(), 0)
        while offset is not None:
            offset -= offset % _BLOCK
            stream.seek(offset)
            block = stream.read(_BLOCK)
            if block != zeros[: len(block)]:
                total.update(offset.to_bytes(8) + block)
            offset = _next_data(stream.fileno(), offset + _BLOCK)
    return total.hexdigest()


def _next_data(descriptor: int, offset: int) -> int | None:
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError:  # ENXIO: no data after the offset
        return None


def _qemu_img(*arguments: str) -> str:
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"qemu-img {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
