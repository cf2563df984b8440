"""The lab's server: a Debian 12 disk image, built once for each state of its recipe."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import build
from tests.lab.layout import Layout


@dataclass(frozen=True)
class Image:
    """A server's disk as installed, never written to again, and the key to log in as root."""

    layout: Layout
    disk: Path
    key: Path

    @property
    def directory(self) -> Path:
        """Folder of the cache that belongs to this state of the recipe."""
        return self.disk.parent


def server_image(
    layout: Layout, flavour: str = "cloud-amd64", *, packages: tuple[str, ...] = ()
) -> Image:
    """Return the image for a layout and a kernel flavour; build it if the cache lacks it.

    `packages` are Debian's, beside those of the recipe.
    """
    directory = cache() / _recipe_hash(flavour, *packages)
    directory.mkdir(parents=True, exist_ok=True)
    image = Image(layout, directory / f"{layout.name}.qcow2", directory / "id_ed25519")
    with locked(directory):
        if not image.disk.exists():
            for unfinished in directory.glob("tmp*"):  # of a build that was killed
                shutil.rmtree(unfinished, ignore_errors=True)
            build.make_key(image.key)
            build.make_tree(directory, flavour, packages)
            build.make_disk(directory, layout, key=image.key, target=image.disk)
    return image


def cache() -> Path:
    """Return the folder of all images."""
    default = Path.home() / ".cache/rescue-lab"
    return Path(os.environ.get("RESCUE_LAB_CACHE") or default)


def _recipe_hash(*asked: str) -> str:
    total = hashlib.sha256(" ".join(asked).encode())
    here = Path(__file__).parent
    recipe = sorted(path for path in build.RECIPE.rglob("*") if path.is_file())
    for path in [here / "build.py", here / "layout.py", *recipe]:
        total.update(f"{path.relative_to(here)}\n".encode() + path.read_bytes())
    return total.hexdigest()[:16]


@contextmanager
def locked(directory: Path, name: str = "") -> Iterator[None]:
    """Let one process at a time build something below a folder, or what has this name there."""
    with (directory / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
