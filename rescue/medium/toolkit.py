"""The toolkit for another system: rescue itself and the Python modules that it needs."""

import re
from importlib import metadata
from pathlib import Path, PurePosixPath

import rescue

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_FROM_DEBIAN = frozenset({"pyparted"})
# Debian 12's package of it has lost the list of what it requires.
_UNSAID = {"prompt-toolkit": ("wcwidth",)}
_OF_AN_EXTRA = re.compile(r";.*\bextra\b")


def toolkit_files() -> dict[str, Path]:
    """Return every module by its place below one folder of Python's path.

    Compiled parts belong to one Python version and are left out: pyparted comes from Debian
    there (`python3-parted`), and for the others they only improve speed.
    """
    package = Path(rescue.__file__).parent
    found = {
        f"rescue/{path.relative_to(package)}": path
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    for distribution in _needed("rescue"):
        found |= distribution_files(distribution)
    return dict(sorted(found.items()))


def distribution_files(distribution: metadata.Distribution) -> dict[str, Path]:
    """Return the modules and the metadata of a distribution by their place on Python's path.

    A Debian package may leave files out that its list names, or have no list at all: then they
    are looked for by the names of its modules.
    """
    files = distribution.files
    places = _places_by_name(distribution) if files is None else files
    wanted = (
        (str(place), distribution.locate_file(place)) for place in places if _is_wanted(place)
    )
    return {name: path for name, each in wanted if (path := Path(str(each))).is_file()}


def _places_by_name(distribution: metadata.Distribution) -> list[PurePosixPath]:
    name, folder = distribution.metadata["Name"], Path(str(distribution.locate_file("")))
    listed = (distribution.read_text("top_level.txt") or "").split()
    tops = [folder / top for top in listed or [_plain(name).replace("-", "_")]]
    tops += [each.with_suffix(".py") for each in tops]
    tops += [
        each for each in folder.glob("*-info") if _plain(each.name.split("-")[0]) == _plain(name)
    ]
    found = (path for top in tops for path in (top, *top.rglob("*")))
    return [PurePosixPath(path.relative_to(folder)) for path in found]


def _needed(name: str) -> list[metadata.Distribution]:
    """Return the direct and indirect requirements of a distribution, without itself."""
    seen, waiting, found = {_plain(name), *_FROM_DEBIAN}, [metadata.distribution(name)], []
    while waiting:
        needing = waiting.pop()
        unsaid = _UNSAID.get(_plain(needing.metadata["Name"]), ())
        for requirement in (*(needing.requires or ()), *unsaid):
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


def _is_wanted(place: PurePosixPath) -> bool:
    inside = not place.is_absolute() and ".." not in place.parts
    return inside and place.suffix not in (".pyc", ".so") and "__pycache__" not in place.parts


def _plain(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
