"""The rescue system: a small Debian with this toolkit, started in memory by live-boot."""

import io
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from platform import freedesktop_os_release

from rescue import paths
from rescue.errors import RescueError
from rescue.medium.recipe import recipe_folder
from rescue.medium.toolkit import toolkit_files
from rescue.system.boot import boot_image, live_system
from rescue.system.process.filters import reading
from rescue.system.process.run import run, which

_TOOLS = (("mmdebstrap", "mmdebstrap"), ("mksquashfs", "squashfs-tools"))
_SITE = "usr/lib/rescue"
_HOUR = 3600.0


def build_live(folder: Path, *, time: int, tell: Callable[[str], None]) -> None:
    """Build vmlinuz, initrd.img and filesystem.squashfs into an empty folder; takes minutes.

    `time` is what everything in it that has no time of its own is dated with, in seconds since
    the epoch; `tell` is given a sentence as each part begins. Raises RescueError where a program
    is missing, CommandError where one fails (the packages' mirror is not reached).
    """
    _expect_tools()
    with tempfile.TemporaryDirectory(prefix=paths.LIVE_PREFIX, dir=folder.parent) as work:
        overlay, tree = Path(work) / "overlay.tar", Path(work) / "tree.tar"
        # mmdebstrap may work as another user.
        Path(work).chmod(0o755)
        overlay.write_bytes(_overlay(time))
        argv = live_system.tree_argv(
            suite=freedesktop_os_release()["VERSION_CODENAME"],
            packages=_packages(),
            overlay=overlay,
            output=folder,
            tree=tree,
        )
        tell("installing the rescue system's packages")
        run(argv, timeout=_HOUR, extra_env=boot_image.fixed_time(time))
        tell("packing the rescue system")
        squash = live_system.squash_argv(folder / "filesystem.squashfs", time=time)
        with tree.open("rb", buffering=0) as source, reading(squash, source=source):
            pass


def _expect_tools() -> None:
    missing = {package: tool for tool, package in _TOOLS if which(tool) is None}
    if missing:
        raise RescueError(
            f"not installed, and needed for a rescue system: {', '.join(missing.values())}",
            hint=f"apt install {' '.join(missing)}",
        )


def _packages() -> tuple[str, ...]:
    lines = (recipe_folder() / "packages.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _overlay(time: int) -> bytes:
    """Return the files of the recipe and the toolkit as a tar archive, the same for the same."""
    recipe = recipe_folder()
    overlay = recipe / "overlay"
    files = {
        str(path.relative_to(overlay)): path
        for path in sorted(overlay.rglob("*"))
        if path.is_file()
    }
    files["customize.sh"] = recipe / "customize.sh"
    files |= {f"{_SITE}/{place}": path for place, path in toolkit_files().items()}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for place, path in sorted(files.items()):
            entry = tarfile.TarInfo(place)
            data = path.read_bytes()
            entry.size, entry.mtime = len(data), time
            # Not the mode of the checkout: an installed wheel does not preserve it.
            entry.mode = 0o755 if data.startswith(b"#!") else 0o644
            tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()
