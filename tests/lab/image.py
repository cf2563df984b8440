"""Builds the lab's server: a Debian 12 disk image, made once for each state of its recipe."""

import fcntl
import hashlib
import os
import shlex
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.hardware import DirectKernel, Hardware, Plugged
from tests.lab.layout import MIB, SECTOR, Content, Layout

RECIPE = Path(__file__).parent / "recipe"
SERIAL = "SOURCE01"
"""Serial number of the disk the server is installed on."""

SUITE = "bookworm"
PYTHON = "3.11"


@dataclass(frozen=True)
class Image:
    """A server's disk as installed, never written to again, and the key to log in as root."""

    layout: Layout
    disk: Path
    key: Path


def server_image(layout: Layout, flavour: str = "cloud-amd64") -> Image:
    """Return the image for a layout and a kernel flavour; build it if the cache lacks it."""
    directory = _cache() / _recipe_hash(flavour)
    directory.mkdir(parents=True, exist_ok=True)
    image = Image(layout, directory / f"{layout.name}.qcow2", directory / "id_ed25519")
    with _locked(directory):
        if not image.disk.exists():
            _make_key(image.key)
            _make_tree(directory, flavour)
            _make_disk(directory, image)
    return image


def _cache() -> Path:
    default = Path.home() / ".cache/rescue-lab"
    return Path(os.environ.get("RESCUE_LAB_CACHE") or default)


def _recipe_hash(flavour: str) -> str:
    total = hashlib.sha256(flavour.encode())
    here = Path(__file__)
    recipe = sorted(path for path in RECIPE.rglob("*") if path.is_file())
    for path in [here, here.with_name("layout.py"), *recipe]:
        total.update(f"{path.relative_to(here.parent)}\n".encode() + path.read_bytes())
    return total.hexdigest()[:16]


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one process at a time build."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_key(key: Path) -> None:
    if not key.exists():
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(key))


def _make_tree(directory: Path, flavour: str) -> None:
    """Install Debian into a tar archive, which serves all layouts."""
    tree = directory / "tree.tar"
    if tree.exists():
        return
    with TemporaryDirectory(dir=directory) as work:
        recipe = Path(work) / "recipe"
        shutil.copytree(RECIPE, recipe)
        shutil.copy(directory / "id_ed25519.pub", recipe)
        _download_wheels(recipe / "wheels")
        recipe.chmod(0o755)
        # The archive is complete or absent.
        unfinished = Path(work) / "tree.tar"
        hook = f"FLAVOUR={shlex.quote(flavour)} chroot \"$1\" sh /recipe/customize.sh"
        _run(
            "mmdebstrap",
            "--mode=unshare",
            "--variant=minbase",
            '--aptopt=Apt::Install-Recommends "false"',
            *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in _UNREAD),
            f"--include={','.join(_lines(RECIPE / 'packages.txt'))}",
            f"--customize-hook=copy-in {shlex.quote(str(recipe))} /",
            f"--customize-hook={hook}",
            SUITE,
            str(unfinished),
        )
        unfinished.rename(tree)


_UNREAD = ("man", "doc", "info", "locale", "lintian", "bug")


def _download_wheels(target: Path) -> None:
    _run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"),
        *("--python-version", PYTHON, "--implementation", "py", "--abi", "none"),
        *("--platform", "any", "--dest", str(target)),
        *("--requirement", str(RECIPE / "wheels.txt")),
    )


def _make_disk(directory: Path, image: Image) -> None:
    """Partition a disk, fill it, boot it once to install GRUB, and keep it as qcow2."""
    with TemporaryDirectory(dir=directory) as name:
        work = Path(name)
        raw = work / "disk.raw"
        with raw.open("wb") as stream:
            stream.truncate(image.layout.size * MIB)
        script = image.layout.sfdisk_script()
        _run("sfdisk", "--quiet", str(raw), input_=script)
        _make_file_systems(image.layout, raw, work, directory / "tree.tar")
        fresh, unfinished = work / "fresh.qcow2", work / "finished.qcow2"
        _run("qemu-img", "convert", "-O", "qcow2", str(raw), str(fresh))
        raw.unlink()
        _finish_in_guest(image, fresh, work)
        _run("qemu-img", "convert", "-O", "qcow2", str(fresh), str(unfinished))
        unfinished.chmod(0o444)
        unfinished.rename(image.disk)


def _make_file_systems(layout: Layout, raw: Path, work: Path, tree: Path) -> None:
    """Write all file systems and the swap space into the image, the tree's files with them."""
    names = layout.names()
    fstab, resume, table = work / "fstab", work / "resume", work / "partitions"
    fstab.write_text(_filled(RECIPE / f"fstab.{layout.name}", names))
    resume.write_text(_filled(RECIPE / "resume.conf", names))
    ext4 = [part for part in layout.partitions if part.content is Content.EXT4]
    ext4.sort(key=lambda part: part.mount_point, reverse=True)
    table.write_text(
        "".join(
            f"{part.mount_point} {part.start * MIB} {part.size * 1024} "
            f"{layout.file_system_uuid(part)} {part.label or '-'}\n"
            for part in ext4
        )
    )
    arguments = [str(path) for path in (tree, work, raw, fstab, resume, table)]
    # Root without being root: the caller's sub-ids (man 5 subuid) become the tree's owners.
    wrapper = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto"]
    _run(*wrapper, "sh", str(RECIPE / "filesystems.sh"), *arguments)
    for part in layout.partitions:
        if part.content is Content.VFAT:
            # Clusters of one sector: with fewer than 65525 of them OVMF takes FAT32 for FAT16.
            _run(
                *("mkfs.vfat", "-F", "32", "-s", "1", "-i", layout.file_system_uuid(part).replace("-", "")),
                *("--offset", str(part.start * MIB // SECTOR), str(raw), str(part.size * 1024)),
            )
        elif part.content is Content.SWAP:
            _write_swap(layout, raw, work / "swap", part.start * MIB, part.size * MIB)


def _write_swap(layout: Layout, raw: Path, scratch: Path, offset: int, size: int) -> None:
    """Make a swap space beside the image and copy its first page, all that it consists of."""
    part = next(each for each in layout.partitions if each.content is Content.SWAP)
    with scratch.open("wb") as stream:
        stream.truncate(size)
    label = ["--label", part.label] if part.label else []
    _run("mkswap", "--uuid", layout.file_system_uuid(part), *label, str(scratch))
    with raw.open("r+b") as stream:
        stream.seek(offset)
        stream.write(scratch.read_bytes()[:4096])


def _filled(template: Path, names: dict[str, str]) -> str:
    return string.Template(template.read_text()).substitute(names)


def _finish_in_guest(image: Image, disk: Path, work: Path) -> None:
    """Boot the disk by a kernel of its own and install GRUB as Debian's installer does."""
    root = f"root=UUID={image.layout.file_system_uuid(image.layout.root)}"
    kernel = DirectKernel(work / "vmlinuz", work / "initrd", f"{root} ro console=ttyS0")
    plugged = [Plugged(Disk(path=disk, serial=SERIAL), 0)]
    hardware = Hardware(direct_kernel=kernel)
    with Guest(hardware, plugged, key=image.key, directory=work / "guest") as guest:
        guest.wait_for_ssh()
        for script in ("finish.sh", "contents.py"):
            guest.put(RECIPE / script, f"/root/{script}")
        kind = "gpt" if image.layout.name == "gpt" else "mbr"
        guest.run(f"sh /root/finish.sh /dev/disk/by-id/virtio-{SERIAL} {kind}", timeout=1200)
        guest.poweroff()


def _lines(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _run(*argv: str, input_: str | None = None) -> None:
    done = subprocess.run(
        argv, input=input_, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        raise OSError(f"{shlex.join(argv)} ended with {done.returncode}:\n{done.stdout[-6000:]}")
