"""rsync as Debian 12 was released with it, beside the one that is installed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rescue.system.process import run as door
from tests.lab.image import cache, locked

RELEASED = "3.2.7-1+deb12u6"
"""Before 3.5 rsync follows links of the receiving side that later ones do not."""

VERSIONS = ("installed", RELEASED)


def folder_with(version: str) -> Path:
    """Return a folder with this rsync, taken from Debian once; where it is not had, skip."""
    place = cache() / f"rsync-{version}"
    place.mkdir(parents=True, exist_ok=True)
    with locked(cache(), place.name):
        if not (place / "usr/bin/rsync").exists():
            _fetch(version, place)
    return place / "usr/bin"


def _fetch(version: str, place: Path) -> None:
    try:
        subprocess.run(
            ["apt-get", "download", "-qq", f"rsync={version}"],
            cwd=place,
            check=True,
            capture_output=True,
            timeout=120,
        )
        (package,) = place.glob("rsync_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, place], check=True, capture_output=True)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        pytest.skip(f"rsync {version} cannot be fetched from Debian: {error}")


@contextmanager
def rsync_of(version: str, *, behind: Path | None = None) -> Iterator[None]:
    """Let every command that is started find this rsync first, or what lies in `behind`."""
    folders = [str(behind)] if behind else []
    folders += [] if version == "installed" else [str(folder_with(version))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "PATH", ":".join([*folders, door.PATH]))
        yield
