"""The content of a partition in a few words, and its names."""

from collections.abc import Sequence
from typing import assert_never

from rescue.model.storage.disk import Disk
from rescue.model.storage.filesystem import FileSystem, SwapArea
from rescue.model.storage.layer import Container, Content, Foreign, Nothing

_MOST = 5


def names(content: Content) -> tuple[str, str]:
    """Return UUID and label of a content, '' for what it does not have."""
    match content:
        case FileSystem() | SwapArea() | Foreign():
            return content.uuid, content.label
        case Container():
            return content.uuid, ""
        case Nothing():
            return "", ""
        case _:
            assert_never(content)


def describe(content: Content) -> str:
    """Return a content in readable form: "ext4 'home' 1c2d-...", or 'nothing'."""
    uuid, label = names(content)
    match content:
        case FileSystem() | Foreign() | Container():
            kind = str(content.kind)
        case SwapArea():
            kind = "swap"
        case Nothing():
            return "nothing"
        case _:
            assert_never(content)
    return " ".join(filter(None, (kind, f"'{label}'" if label else "", uuid)))


def some_of(paths: Sequence[str]) -> str:
    """Return the first few paths as one line of valid text, and how many more there are."""
    more = f" and {len(paths) - _MOST} more" if len(paths) > _MOST else ""
    shown = (path if path.isprintable() else ascii(path) for path in paths[:_MOST])
    return ", ".join(shown) + more


def holds_nothing(content: Content) -> bool:
    """Whether it has no signature known to libblkid."""
    return isinstance(content, Nothing)


def contents_of(disk: Disk) -> tuple[Content, ...]:
    """Return what lies on the disk itself and on each of its partitions."""
    return disk.content, *(part.content for part in disk.partitions)
