"""The content of a block device: its signature as the model's layers."""

from contextlib import suppress

from rescue.discover.filesystems import read_options
from rescue.errors import RescueError
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.layer import (
    CONTAINER_KINDS,
    LUKS,
    Container,
    Content,
    Foreign,
    Nothing,
)
from rescue.model.storage.luks import LuksHeader
from rescue.system.block.blockinfo import Signature, probe
from rescue.system.block.luks import read_header

PATH = "mpath_member"
"""Foreign.kind of a disk that is a path of a multipath device, by libblkid's word for it.

It is udev that knows: what is read of such a path may be older than what was written by another.
"""

UNREADABLE = "unreadable"
"""Foreign.kind of a device that could not be read, and of which udev knows nothing."""

AMBIVALENT = "ambivalent"
"""Foreign.kind of a device with several signatures that contradict each other."""


def read_content(path: str, *, told: Signature | None) -> Content:
    """Return what lies on the device or image file at `path`.

    `told` is what udev saw: it is used where the device itself cannot be read (without root). A
    device about which nothing is known does not count as empty: it is Foreign 'unreadable'.
    """
    if told is not None and told.type == PATH:
        return Foreign(kind=PATH)
    seen = probe(path) or told
    if seen is None:
        return Foreign(kind=UNREADABLE)
    if seen.type in CONTAINER_KINDS:
        return Container(kind=seen.type, uuid=seen.uuid, luks=_header(path, seen.type))
    if seen.type in tuple(FsKind):
        return _filesystem(path, seen)
    return from_signature(seen)


def from_signature(seen: Signature) -> Content:
    """Return the content that a signature indicates, on a device with nothing we recreate."""
    if seen.ambivalent:
        return Foreign(kind=AMBIVALENT)
    if seen.type == "swap":
        return SwapArea(uuid=seen.uuid, label=seen.label)
    if seen.type:
        return Foreign(kind=seen.type, uuid=seen.uuid, label=seen.label)
    if seen.table_kind:
        return Foreign(kind=f"partition table ({seen.table_kind})", uuid=seen.table_uuid)
    return Nothing()


def _header(path: str, kind: str) -> LuksHeader | None:
    """Return the header of a LUKS container, None where cryptsetup does not tell it."""
    if kind != LUKS:
        return None
    with suppress(RescueError):
        return read_header(path)
    return None


def _filesystem(path: str, seen: Signature) -> Content:
    kind = FsKind(seen.type)
    options, elsewhere = read_options(kind, path, version=seen.version)
    if elsewhere:
        return Foreign(kind=elsewhere, uuid=seen.uuid, label=seen.label)
    return FileSystem(kind=kind, uuid=seen.uuid, label=seen.label, options=options)
