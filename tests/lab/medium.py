"""Rescue media and small disks for them to find, as disks of guests."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from rescue.text.grub_env import environment_block
from tests.lab.disk import Disk, DiskModel
from tests.lab.layout import MIB

STICK = "STICK001"


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a mirror says of itself to the menu, with the fields that a menu's order hangs on."""

    name: str
    boot_uuid: str
    grub: str
    host: str = "server"
    machine: str = "0123456789abcdef0123456789abcdef"
    state: str = "complete"
    complete: str = "20261124T031500Z"
    proof: str = ""
    who: str = ""
    token: str = ""

    def block(self) -> bytes:
        """Return it as a mirror carries it."""
        day, hour = self.complete[:8], self.complete[9:13]
        shown = f"{day[:4]}-{day[4:6]}-{day[6:]} {hour[:2]}:{hour[2:]} UTC"
        return environment_block(
            {
                "mirror_host": self.host,
                "mirror_machine": self.machine,
                "mirror_name": self.name,
                "mirror_who": self.who,
                "mirror_state": self.state,
                "mirror_complete": self.complete,
                "mirror_proof": self.proof,
                "mirror_shown": shown,
                "mirror_token": self.token,
                "mirror_boot_uuid": self.boot_uuid,
                "mirror_grub": self.grub,
            }
        )


def stick(image: Path) -> Disk:
    """Return a medium's image as a USB stick."""
    return as_stick(Disk(path=_as_qcow2(image), serial=STICK))


def as_stick(disk: Disk) -> Disk:
    """Return a disk that a medium was written to, plugged in as USB."""
    return disk.attached_as(DiskModel.USB)


def small_mirror(directory: Path, note: Note, *, first: str = "", last: str = "halt") -> Disk:
    """Return a small disk that the menu takes for a mirror; started, it says 'STARTED name'.

    `first` and `last` are what its own menu does before and after that.
    """
    tree = directory / f"tree-{note.name}"
    grub = tree / note.grub.lstrip("/")
    grub.mkdir(parents=True)
    (tree / ".rescue").mkdir()
    (tree / ".rescue/mirror.env").write_bytes(note.block())
    (grub / "grub.cfg").write_text(
        f'{first}\necho "STARTED {note.name} from $root"\nsleep 1\n{last}\n'
    )
    image = directory / f"{note.name}.img"
    with image.open("wb") as file:
        file.truncate(18 * MIB)
    options = ["-U", note.boot_uuid, "-d", str(tree), "-E", f"offset={MIB}"]
    _run("mke2fs", "-q", "-t", "ext4", *options, str(image), "16m")
    _run("sfdisk", "--quiet", str(image), stdin="label: gpt\n1: start=2048, size=32768\n")
    return Disk(path=_as_qcow2(image), serial=f"MIRROR-{note.name}")


def _as_qcow2(image: Path) -> Path:
    target = image.with_suffix(".qcow2")
    _run("qemu-img", "convert", "-O", "qcow2", str(image), str(target))
    return target


def _run(*argv: str, stdin: str = "") -> None:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
