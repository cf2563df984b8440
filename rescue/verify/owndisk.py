"""What the mirror's own disk holds, found by identifiers that do not depend on the machine."""

import re
from dataclasses import dataclass

from rescue.model.storage.disk import Disk, Partition
from rescue.model.storage.layer import Nothing

_TAG_OF_FOLDER = {
    "by-uuid": "UUID",
    "by-label": "LABEL",
    "by-partuuid": "PARTUUID",
    "by-partlabel": "PARTLABEL",
}


def content_uuid(part: Partition) -> str:
    """Return the UUID of a partition's content, or '' if it has none."""
    return "" if isinstance(part.content, Nothing) else part.content.uuid


def content_label(part: Partition) -> str:
    """Return the label of what lies on a partition, or ''."""
    return getattr(part.content, "label", "")


def is_kernel_name(spec: str) -> bool:
    """Whether a spec is a kernel name ('/dev/vda1'), which may be another disk's tomorrow.

    What lies in a folder below /dev was named by something else ('/dev/mapper/x',
    '/dev/vg/lv').
    """
    return spec.startswith("/dev/") and "/" not in spec.removeprefix("/dev/")


def _unescaped(text: str) -> str:
    r"""Undo udev's escapes in the names of links: '\x20' is a space."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m.group(1), 16)), text)


@dataclass(frozen=True, kw_only=True)
class OwnDisk:
    """The mirror's disk, resolving which of its partitions a spec names."""

    disk: Disk

    def resolve(self, spec: str) -> Partition | None:
        """Return the partition of this disk that a spec names, or None if it is not exactly one.

        A spec is 'UUID=...' (or LABEL, PARTUUID, PARTLABEL) or a link below /dev/disk.

        Kernel names resolve to nothing: they are not the disk's own.
        """
        tag, sign, value = spec.partition("=")
        if sign and not spec.startswith("/"):
            return self._by_tag(tag.upper(), value.strip("\"'"))
        if not spec.startswith("/dev/disk/"):
            return None
        folder, _, name = spec.removeprefix("/dev/disk/").partition("/")
        if folder in _TAG_OF_FOLDER:
            return self._by_tag(_TAG_OF_FOLDER[folder], _unescaped(name))
        return _only([part for part in self.disk.partitions if spec in part.links])

    def filesystem(self, uuid: str) -> Partition | None:
        """Return the partition whose content has that UUID."""
        return self._by_tag("UUID", uuid)

    def _by_tag(self, tag: str, value: str) -> Partition | None:
        if not value:
            return None
        folded = value.casefold()
        match tag:
            case "UUID":
                found = [p for p in self.disk.partitions if content_uuid(p).casefold() == folded]
            case "PARTUUID":
                found = [p for p in self.disk.partitions if p.uuid.casefold() == folded]
            case "LABEL":
                found = [p for p in self.disk.partitions if content_label(p) == value]
            case "PARTLABEL":
                found = [p for p in self.disk.partitions if p.name == value]
            case _:
                found = []
        return _only(found)


def _only(found: list[Partition]) -> Partition | None:
    return found[0] if len(found) == 1 else None
