"""The probe, a unit injected into the overlay that runs once and reports.

Credentials handed over by SMBIOS would need no writing at all (systemd.system-credentials(7)), but
none that systemd 252 of Debian 12 knows adds a unit, and 256, which has one, is not everywhere.
A kernel that shows what it says on a screen alone is told to say it on the serial console, too.
None may speak on the line of the probe, as those of a server with 'console=ttyS1' (IPMI's serial
over LAN) do, nor a getty listen there, which hangs it up (TTYVHangup, man 5 systemd.exec): either
cuts what the probe says.
"""

import errno
import re
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

from rescue.errors import RescueError
from rescue.model.mirror.record import FilesystemPair
from rescue.model.proof import ProofPlan, ProofSettings
from rescue.model.storage.disk import PartitionTable
from rescue.model.storage.place import in_words, node_of
from rescue.paths import PROOF_FOLDER
from rescue.system.block.loop import Span
from rescue.system.block.overlay import part_mounted
from rescue.system.block.read_table import read_table
from rescue.system.files.atomic import write_atomic
from rescue.system.files.inject import lay, lay_link, lay_patience, lay_silence
from rescue.system.files.rooted_tree import Tree
from rescue.system.process.run import CommandError
from rescue.template import template
from rescue.text.grub_env import menu_holder

SERVICE = "rescue-proof.service"
_UNITS = "etc/systemd/system"
_WANTED_BY = "sysinit.target.wants"
_SECTOR = 512
_MINUTE = 60

_PATIENCE_SHARE = 0.6
"""Of the time limit: how long the probe waits for the boot, so that it can still look around."""

_UNIT_SHARE = 1 / 3
"""Of the time limit: how long systemd waits for one device or unit."""

MENU = PurePosixPath("/boot/grub/grub.cfg")
_LINUX = re.compile(r"^[ \t]*linux(?:16|efi)?[ \t][^\n]*", re.MULTILINE)
_SERIAL = "console=ttyS0"
_OF_THE_PROBE = re.compile(r"(?<![ \t])[ \t]+console=ttyS1(?:,\S*)?(?=[ \t]|$)")


def inject(plan: ProofPlan, image: Path, folder: Path) -> str:
    """Lay the probe into the overlay that is shown at `image`; return '' or why it cannot be.

    `folder` is of a private mount namespace. What cannot be is a finding about the mirror: its
    table, a file system, or no room.
    """
    try:
        table = _table(image)
        with _opened(plan.record.root, table, image, folder) as root:
            write_probe(root, plan.settings)
        holder = menu_holder(plan.record)
        with _opened(holder, table, image, folder) as place:
            _make_heard(place, f"/{MENU.relative_to(holder.mount_point)}")
    except CommandError as error:
        said = (error.result.stderr or error.result.stdout).strip().splitlines()
        return f"a file system cannot be mounted: {said[-1] if said else error.message}"
    except RescueError as error:
        return error.message
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "its root file system is full: nothing can be written when it boots"
        return f"its file systems cannot be written: {error}"
    return ""


def _table(image: Path) -> PartitionTable:
    """Return the partition table. Raises RescueError where there is none that could be read."""
    try:
        return read_table(str(image))
    except CommandError as error:
        raise RescueError("its partition table cannot be read") from error


def _opened(
    pair: FilesystemPair, table: PartitionTable, image: Path, folder: Path
) -> AbstractContextManager[Path]:
    """Mount a file system of the overlay. Raises RescueError where that cannot be."""
    return part_mounted(image, span_of(table, pair), kind=pair.kind.value, folder=folder)


def heard(menu: str) -> str:
    """Return a grub.cfg whose kernels also write to the serial console.

    Those that do by themselves stay as they are, but for a console on the line of the probe. The
    last console named is the one that the initramfs and systemd complain on.
    """
    return _LINUX.sub(lambda line: _heard_line(line[0]), menu)


def _heard_line(line: str) -> str:
    line = _OF_THE_PROBE.sub("", line)
    return line if _SERIAL in line else f"{line} console=tty0 {_SERIAL}"


def _make_heard(place: Path, inside: str) -> None:
    """Change the menu of the file system mounted at `place`; GRUB, too, stays in it by its links.

    Never through a link that leads out of it, to this machine's own files.
    """
    tree = Tree(root=place)
    # One that is not there is for GRUB to complain of.
    if tree.is_file(inside):
        text = tree.text(inside)
        if heard(text) != text:
            menu = tree.locate(inside)
            write_atomic(menu, heard(text).encode("utf-8", "surrogateescape"), like=menu)


def write_probe(root: Path, settings: ProofSettings) -> None:
    """Write the unit, the script and the person's own commands into a tree.

    Raises what `lay` raises.
    """
    probe = lay(root, f"{PROOF_FOLDER}/probe.sh", template("proof-probe.sh").encode())
    # Before the person's own commands are added: they may hold private data.
    probe.parent.chmod(0o700)
    limit = settings.time_limit_minutes * _MINUTE
    lay(root, f"{PROOF_FOLDER}/patience", f"{limit * _PATIENCE_SHARE:.0f}\n".encode("ascii"))
    lay_patience(root, limit * _UNIT_SHARE)
    for number, command in enumerate(settings.checks):
        lay(root, f"{PROOF_FOLDER}/check-{number}", f"{command}\n".encode())
    lay_silence(root)
    lay(root, f"{_UNITS}/{SERVICE}", template(SERVICE).encode())
    lay_link(root, f"{_UNITS}/{_WANTED_BY}/{SERVICE}", f"../{SERVICE}")


def span_of(table: PartitionTable, pair: FilesystemPair) -> Span:
    """Return where a file system lies on its disk. Raises RescueError where it has no partition."""
    part = node_of(pair.place, table)
    if part is None:
        place = in_words(pair.place)
        raise RescueError(f"{place} ({pair.mount_point}) is missing from its table")
    return Span(start=part.start * _SECTOR, length=part.length * _SECTOR)
