"""The content of a partition: a tree of layers down to a file system."""

from dataclasses import dataclass

from rescue.model.storage.filesystem import FileSystem, SwapArea
from rescue.model.storage.luks import LuksHeader


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """No signature known to libblkid."""


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A signature that we do not make again: `kind` is libblkid's TYPE, such as 'ntfs'."""

    kind: str
    uuid: str = ""
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Container:
    """A layer that holds others: LUKS, an LVM physical volume or an md member.

    `kind` is libblkid's TYPE: 'crypto_LUKS', 'LVM2_member', 'linux_raid_member'. What is made of it
    is a device of its own (model/storage/device.py), where it is open. `luks` is what the header of
    a LUKS container says, None where nobody could read it.
    """

    kind: str
    uuid: str = ""
    luks: LuksHeader | None = None


Content = Nothing | FileSystem | SwapArea | Foreign | Container
"""What is found on a block device."""

LUKS = "crypto_LUKS"
CONTAINER_KINDS = frozenset({LUKS, "LVM2_member", "linux_raid_member"})
