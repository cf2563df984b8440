"""Boot settings behind symbolic links, and where those files really lie."""

from collections.abc import Iterator
from pathlib import Path

from rescue.model.boot.files import LinkedFile, whole_tree_patterns
from rescue.system.files.rooted_tree import Tree


def linked_files(root: Path = Path("/")) -> tuple[LinkedFile, ...]:
    """Return the files that settings and menus link to, on the system whose tree is at `root`.

    A link must lead to a file of that tree; one that leads nowhere here, or to '/dev/null' (a
    masked unit), does not count. Without root, the result is what can be seen. Raises OSError.
    """
    found = dict.fromkeys(
        each for pattern in whole_tree_patterns("") for each in _led(root, pattern)
    )
    return tuple(found)


def _led(root: Path, pattern: str) -> Iterator[LinkedFile]:
    tree = Tree(root=root)
    try:
        for name in tree.glob(pattern):
            path = f"/{tree.locate(name).relative_to(root)}"
            if path != name:
                yield LinkedFile(name=name, path=path)
    except PermissionError:
        return
