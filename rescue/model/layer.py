"""What a partition holds: a tree of layers down to a file system."""

from dataclasses import dataclass

from rescue.model.filesystem import FileSystem, SwapArea


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """No signature that libblkid knows."""


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A signature that we do not make again: `kind` is libblkid's TYPE, such as 'ntfs'."""

    kind: str
    uuid: str = ""
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Container:
    """A layer that holds others: LUKS, an LVM physical volume or an md member.

    `kind` is libblkid's TYPE: 'crypto_LUKS', 'LVM2_member', 'linux_raid_member'.
    """

    kind: str
    uuid: str = ""
    holds: "tuple[Content, ...]" = ()


Content = Nothing | FileSystem | SwapArea | Foreign | Container
"""What is found on a block device."""

CONTAINER_KINDS = frozenset({"crypto_LUKS", "LVM2_member", "linux_raid_member"})
