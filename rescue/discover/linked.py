"""The files that name a disk and are reached through a link: where they really lie."""

from pathlib import Path

from rescue.model.bootfiles import LinkedFile, whole_tree_patterns
from rescue.system.tree import Tree


def linked_files(root: Path = Path("/")) -> tuple[LinkedFile, ...]:
    """Return what settings and menus lead to by links, on the system whose tree is at `root`.

    A link leads to a file of that tree or, here, nowhere: '/dev/null' (a masked unit) is none.
    """
    tree = Tree(root=root)
    named = (path for pattern in whole_tree_patterns("") for path in tree.glob(pattern))
    places = ((path, f"/{tree.locate(path).relative_to(root)}") for path in dict.fromkeys(named))
    return tuple(LinkedFile(name=name, path=path) for name, path in places if name != path)
