"""The state of a running guest, kept in its own disks, or frozen for others to start from."""

import shlex
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tests.lab.disk import Disk
from tests.lab.guest import Guest, Incoming
from tests.lab.hardware import UEFI, VARIABLES, Hardware, Plugged

_SECONDS = 600.0


def save(guest: Guest, name: str) -> None:
    """Keep the guest's state under a name, inside its disks; it goes on running."""
    nodes = _writable_nodes(guest)
    guest.qmp.run_job(
        "snapshot-save", f"save-{name}", _SECONDS, tag=name, vmstate=nodes[0], devices=nodes
    )


def load(guest: Guest, name: str) -> None:
    """Put the guest back into a kept state; the same disks must be attached as then."""
    nodes = _writable_nodes(guest)
    guest.ssh.close()
    guest.qmp.execute("stop")
    guest.qmp.run_job(
        "snapshot-load", f"load-{name}", _SECONDS, tag=name, vmstate=nodes[0], devices=nodes
    )
    guest.qmp.execute("cont")
    guest.wait_for_ssh()
    guest.set_clock()


def _writable_nodes(guest: Guest) -> list[str]:
    nodes = [each.name for each in guest.plugged if not each.disk.read_only]
    return [*nodes, "flash1"] if guest.hardware.firmware is UEFI else nodes


class _SwitchedOn(Guest):
    """A guest that boots when it is entered; then it runs commands, as a thawed one does."""

    def start(self) -> None:
        """Switch on; returns when the boot is through."""
        super().start()
        self.wait_for_ssh()
        self.failed_units()


@dataclass(frozen=True)
class Frozen:
    """A guest that ran when it was frozen. Its files do not change any more.

    One with a disk that cannot be frozen was switched off instead, and has no memory.
    `accelerator` are QEMU's options that it ran by: its memory is of use to no others.
    """

    hardware: Hardware
    plugged: tuple[Plugged, ...]
    directory: Path
    key: Path
    accelerator: tuple[str, ...]

    @property
    def memory(self) -> Path:
        """File with the state of memory and devices."""
        return self.directory / "memory"

    def thaw(self, directory: Path) -> Guest:
        """Return a guest that, when entered, goes on from here on copies of the disks."""
        directory.mkdir(parents=True)
        plugged = [_copy(each, directory) for each in self.plugged]
        if self.hardware.firmware is UEFI and (self.directory / VARIABLES).exists():
            shutil.copy(self.directory / VARIABLES, directory / VARIABLES)
        if not self.memory.exists():
            return _SwitchedOn(self.hardware, plugged, key=self.key, directory=directory)
        source = f"exec:cat {shlex.quote(str(self.memory))}"
        return Guest(
            self.hardware,
            plugged,
            key=self.key,
            directory=directory,
            incoming=Incoming(source, self.accelerator),
        )


def freeze(guest: Guest, directory: Path) -> Frozen:
    """Stop a running guest for good and keep its state. Its disks must not be written any more."""
    frozen = Frozen(guest.hardware, tuple(guest.plugged), directory, guest.key, guest.accelerator)
    directory.mkdir(parents=True, exist_ok=True)
    if all(each.disk.model.can_be_frozen for each in guest.plugged):
        _keep_memory(guest, frozen.memory)
    else:
        guest.poweroff()
    if guest.hardware.firmware is UEFI and guest.directory != directory:
        shutil.copy(guest.directory / VARIABLES, directory / VARIABLES)
    return frozen


def _keep_memory(guest: Guest, memory: Path) -> None:
    guest.ssh.close()
    guest.qmp.execute("stop")
    guest.qmp.execute("migrate-set-parameters", max_bandwidth=1 << 40)
    guest.qmp.execute("migrate", uri=f"exec:cat > {shlex.quote(str(memory))}")
    deadline = time.monotonic() + _SECONDS
    while (status := guest.qmp.execute("query-migrate")["status"]) != "completed":
        if status == "failed" or time.monotonic() > deadline:
            raise OSError(f"the guest's memory cannot be kept: {status}")
        time.sleep(0.1)
    guest.qmp.execute("quit")
    guest.wait_for_power_off()


def _copy(plugged: Plugged, directory: Path) -> Plugged:
    disk: Disk = plugged.disk
    return replace(plugged, disk=disk.copy(directory / f"{plugged.name}.qcow2"))
