"""Which part a disk plays; every disk we have written carries its role."""

from enum import StrEnum


class Role(StrEnum):
    """The part a disk plays for one machine."""

    SOURCE = "source"
    MIRROR = "mirror"
    MEDIUM = "medium"
    NONE = "none"
