"""How the server's disk is made. A change here makes every cached image a new one."""

import os
import shlex
import shutil
import string
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.lab.disk import Disk, DiskModel
from tests.lab.guest import Guest
from tests.lab.hardware import DirectKernel, Hardware, Plugged
from tests.lab.layout import MIB, SECTOR, Content, Layout, Partition
from tests.lab.variant import Variant

RECIPE = Path(__file__).parent / "recipe"
SERIAL = "SOURCE01"
"""Serial number of the disk the server is installed on."""

_BY_ID = {
    DiskModel.VIRTIO: "virtio-",
    DiskModel.NVME: "nvme-QEMU_NVMe_Ctrl_",
    DiskModel.IDE: "ata-QEMU_HARDDISK_",
}
"""What udev puts before the serial number in the names below /dev/disk/by-id."""


def make_key(key: Path) -> None:
    """Make the pair of keys that root on the server is reached with."""
    unfinished = key.with_name(f"{key.name}-unfinished")
    unfinished.unlink(missing_ok=True)
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(unfinished))
    unfinished.with_name(f"{unfinished.name}.pub").rename(_public(key))
    unfinished.rename(key)


def _public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def make_tree(directory: Path, variant: Variant, packages: tuple[str, ...], *, key: Path) -> None:
    """Install Debian and these packages into a tar archive, which serves all layouts."""
    tree = directory / "tree.tar"
    if tree.exists():
        return
    with TemporaryDirectory(dir=directory) as work:
        recipe = Path(work) / "recipe"
        shutil.copytree(RECIPE, recipe)
        shutil.copy(_public(key), recipe / "id_ed25519.pub")
        _download_wheels(recipe / "wheels", variant.python)
        recipe.chmod(0o755)
        # The archive is complete or absent.
        unfinished = Path(work) / "tree.tar"
        hook = f'FLAVOUR={shlex.quote(variant.flavour)} chroot "$1" sh /recipe/customize.sh'
        _run(
            "mmdebstrap",
            "--mode=unshare",
            "--variant=minbase",
            '--aptopt=Apt::Install-Recommends "false"',
            *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in _UNREAD),
            f"--include={','.join([*_lines(RECIPE / 'packages.txt'), *packages])}",
            f"--customize-hook=copy-in {shlex.quote(str(recipe))} /",
            f"--customize-hook={hook}",
            variant.suite,
            str(unfinished),
        )
        unfinished.rename(tree)


_UNREAD = ("man", "doc", "info", "locale", "lintian", "bug")


def _download_wheels(target: Path, python: str) -> None:
    _run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"),
        *("--python-version", python, "--implementation", "py", "--abi", "none"),
        *("--platform", "any", "--dest", str(target)),
        *("--requirement", str(RECIPE / "wheels.txt")),
    )


def make_disk(
    directory: Path, layout: Layout, model: DiskModel, *, key: Path, target: Path
) -> None:
    """Partition a disk, fill it, boot it once to install GRUB, and keep it as qcow2."""
    # After a failure there may be files of sub-ids, which only the next build's owner can remove.
    with TemporaryDirectory(dir=directory, ignore_cleanup_errors=True) as name:
        work = Path(name)
        raw = work / "disk.raw"
        with raw.open("wb") as stream:
            stream.truncate(layout.size * MIB)
        script = layout.sfdisk_script()
        _run("sfdisk", "--quiet", str(raw), input_=script)
        _make_file_systems(layout, raw, work, directory / "tree.tar")
        fresh, unfinished = work / "fresh.qcow2", work / "finished.qcow2"
        _run("qemu-img", "convert", "-O", "qcow2", str(raw), str(fresh))
        raw.unlink()
        disk = Disk(path=fresh, serial=SERIAL, model=model)
        _finish_in_guest(layout, disk, key, work)
        _run("qemu-img", "convert", "-O", "qcow2", str(fresh), str(unfinished))
        unfinished.chmod(0o444)
        unfinished.rename(target)


def _make_file_systems(layout: Layout, raw: Path, work: Path, tree: Path) -> None:
    """Write all file systems and the swap space into the image, the tree's files with them."""
    fstab, resume, table = work / "fstab", work / "resume", work / "partitions"
    fstab.write_text(_filled(RECIPE / f"fstab.{layout.name}", layout.names()))
    resume.write_text(_filled(RECIPE / "resume.conf", layout.names()))
    ext4 = [part for part in layout.partitions if part.content is Content.EXT4]
    ext4.sort(key=lambda part: part.mount_point, reverse=True)
    table.write_text("".join(_ext4_line(layout, part) for part in ext4))
    arguments = [str(path) for path in (tree, work, raw, fstab, resume, table)]
    # Root without being root: the caller's sub-ids (man 5 subuid) become the tree's owners.
    wrapper = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto"]
    _run(*wrapper, "sh", str(RECIPE / "filesystems.sh"), *arguments)
    for part in layout.partitions:
        if part.content is Content.VFAT:
            _write_vfat(layout, part, raw)
        elif part.content is Content.SWAP:
            _write_swap(layout, part, raw, work / "swap")


def _ext4_line(layout: Layout, part: Partition) -> str:
    uuid, label = layout.file_system_uuid(part), part.label or "-"
    return f"{part.mount_point} {part.start * MIB} {part.size * 1024} {uuid} {label}\n"


def _write_vfat(layout: Layout, part: Partition, raw: Path) -> None:
    """Make an empty FAT32; grub-install fills it."""
    identifier = layout.file_system_uuid(part).replace("-", "")
    # Clusters of one sector: with fewer than 65525 of them OVMF takes FAT32 for FAT16.
    options = ["-F", "32", "-s", "1", "-i", identifier]
    offset, size = part.start * MIB // SECTOR, part.size * 1024
    _run("mkfs.vfat", *options, "--offset", str(offset), str(raw), str(size))


def _write_swap(layout: Layout, part: Partition, raw: Path, scratch: Path) -> None:
    """Make a swap space beside the image and copy its first page, all that it consists of."""
    with scratch.open("wb") as stream:
        stream.truncate(part.size * MIB)
    label = ["--label", part.label] if part.label else []
    _run("mkswap", "--uuid", layout.file_system_uuid(part), *label, str(scratch))
    with raw.open("r+b") as stream, scratch.open("rb") as page:
        stream.seek(part.start * MIB)
        stream.write(page.read(4096))


def _filled(template: Path, names: dict[str, str]) -> str:
    return string.Template(template.read_text()).substitute(names)


def _finish_in_guest(layout: Layout, disk: Disk, key: Path, work: Path) -> None:
    """Boot the disk by a kernel of its own and install GRUB as Debian's installer does."""
    root = f"root=UUID={layout.file_system_uuid(layout.root)}"
    kernel = DirectKernel(work / "vmlinuz", work / "initrd", f"{root} ro console=ttyS0")
    hardware = Hardware(direct_kernel=kernel)
    with Guest(hardware, [Plugged(disk, 0)], key=key, directory=work / "guest") as guest:
        guest.wait_for_ssh()
        for script in ("finish.sh", "contents.py"):
            guest.put(RECIPE / script, f"/root/{script}")
        device = f"/dev/disk/by-id/{_BY_ID[disk.model]}{disk.serial}"
        guest.run(f"sh /root/finish.sh {device} {layout.table}", timeout=1200)
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
