"""This toolkit and the Python modules it stands on, as files for another system."""

import re
from importlib import metadata
from pathlib import Path, PurePosixPath

import rescue

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_FROM_DEBIAN = frozenset({"pyparted"})
_OF_AN_EXTRA = re.compile(r";.*\bextra\b")


def toolkit_files() -> dict[str, Path]:
    """Return every module by its place below one folder of Python's path.

    What is compiled belongs to one Python and is left out: pyparted is Debian's there
    (`python3-parted`), the others' compiled parts only make them faster.
    """
    package = Path(rescue.__file__).parent
    found = {
        f"rescue/{path.relative_to(package)}": path
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    for distribution in _needed("rescue"):
        files = (file for file in distribution.files or () if _is_wanted(file))
        found |= {str(file): Path(str(file.locate())) for file in files}
    return dict(sorted(found.items()))


def _needed(name: str) -> list[metadata.Distribution]:
    """Return what a distribution requires, and what that requires in turn, without itself."""
    seen, waiting, found = {_plain(name), *_FROM_DEBIAN}, [metadata.distribution(name)], []
    while waiting:
        for requirement in waiting.pop().requires or ():
            named = _NAME.match(requirement)
            if named is None or _OF_AN_EXTRA.search(requirement) or _plain(named[0]) in seen:
                continue
            seen.add(_plain(named[0]))
            try:
                distribution = metadata.distribution(named[0])
            except metadata.PackageNotFoundError:
                continue  # only for another Python or another system
            found.append(distribution)
            waiting.append(distribution)
    return found


def _is_wanted(file: metadata.PackagePath) -> bool:
    place = PurePosixPath(file)
    inside = not place.is_absolute() and ".." not in place.parts
    return inside and place.suffix not in (".pyc", ".so") and "__pycache__" not in place.parts


def _plain(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
