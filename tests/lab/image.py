"""The lab's servers: Debian disk images, built once for each state of their recipe."""

import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab import build
from tests.lab.build import SERIAL
from tests.lab.layered.server import Layered, disks_of, make_disks
from tests.lab.layout import GPT, Layout
from tests.lab.variant import BOOKWORM, Variant

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Image:
    """A server's disk as installed, never written to again, and the key to log in as root.

    `more` are the serial numbers and files of the other disks of a server on several.
    """

    disk: Path
    key: Path
    more: tuple[tuple[str, Path], ...] = ()

    @property
    def disks(self) -> tuple[tuple[str, Path], ...]:
        """Serial number and file of each disk."""
        return ((SERIAL, self.disk), *self.more)

    @property
    def directory(self) -> Path:
        """Folder of the cache that belongs to this state of the recipe."""
        return self.disk.parent


def server_image(
    layout: Layout, variant: Variant = BOOKWORM, *, packages: tuple[str, ...] = ()
) -> Image:
    """Return the image for a layout and a variant; build it if the cache lacks it.

    `packages` are Debian's, beside those of the recipe.
    """
    directory = cache() / _recipe_hash(variant, packages)
    directory.mkdir(parents=True, exist_ok=True)
    image = Image(directory / f"{layout.name}.qcow2", server_key())
    with locked(directory):
        if not image.disk.exists():
            for unfinished in directory.glob("tmp*"):  # of a build that was killed
                shutil.rmtree(unfinished, ignore_errors=True)
            _LOG.info("Debian is installed into an archive")
            build.make_tree(directory, variant, packages, key=image.key)
            _LOG.info("a disk is partitioned and filled, and started once to install GRUB")
            build.make_disk(directory, layout, variant.disk, key=image.key, target=image.disk)
    return image


def layered_image(
    layered: Layered, variant: Variant = BOOKWORM, *, packages: tuple[str, ...] = ()
) -> Image:
    """Return the image of a server with layers; build it, and the plain one that it is made on."""
    plain = server_image(GPT, variant, packages=(*layered.packages, *packages))
    directory = plain.directory / f"{layered.name}-{layered.script_hash}"
    directory.mkdir(exist_ok=True)
    disk = directory / f"{layered.name}.qcow2"
    more = zip(layered.serials[1:], disks_of(disk, layered)[1:], strict=True)
    image = Image(disk, plain.key, tuple(more))
    with locked(directory):
        if not image.disk.exists():
            _LOG.info("a server with the layout %s is installed on more disks", layered.name)
            with TemporaryDirectory(dir=directory) as work:
                options = {"key": image.key, "work": Path(work), "target": image.disk}
                make_disks(layered, plain.disk, variant.disk, **options)
    return image


def server_key() -> Path:
    """Return the key to log in as root with: one for all servers, whose disks meet in machines."""
    key = cache() / "id_ed25519"
    cache().mkdir(parents=True, exist_ok=True)
    with locked(cache(), key.name):
        if not key.exists():
            build.make_key(key)
    return key


def cache() -> Path:
    """Return the folder of all images."""
    default = Path.home() / ".cache/rescue-lab"
    return Path(os.environ.get("RESCUE_LAB_CACHE") or default)


def _recipe_hash(variant: Variant, packages: tuple[str, ...]) -> str:
    asked = (variant.suite, variant.python, variant.flavour, variant.disk, *packages)
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
