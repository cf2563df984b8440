"""The role of a disk; every disk we have written carries one."""

from enum import StrEnum


class Role(StrEnum):
    """The part a disk plays for one machine."""

    SOURCE = "source"
    MIRROR = "mirror"
    MEDIUM = "medium"
    NONE = "none"
