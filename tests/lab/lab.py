"""What a scenario is given: servers, machines, disks, and trees to compare."""

from collections.abc import Sequence
from pathlib import Path

from tests.lab import manifest
from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.hardware import BIOS, Firmware, Hardware, Plugged
from tests.lab.image import server_key
from tests.lab.stock import Stock
from tests.lab.variant import BOOKWORM, Variant

VOLATILE = ("var/log/*", "var/lib/systemd/*", "var/tmp*", "tmp*", "lost+found*")
"""What a running server changes by itself, for comparisons with its mirror."""


class Lab:
    """One test's corner of the lab; its files lie in one directory."""

    def __init__(self, stock: Stock, directory: Path) -> None:
        """Nothing is started here."""
        self.stock = stock
        self.directory = directory
        self._guests = 0

    def server(
        self, layout: str = "gpt", *, firmware: Firmware = BIOS, variant: Variant = BOOKWORM
    ) -> Guest:
        """Return a running Debian server with `rescue` installed; there in two seconds."""
        return self.stock.installed(layout, firmware, variant).thaw(self._next_directory())

    def prepared_server(
        self, layout: str = "gpt", *, firmware: Firmware = BIOS, variant: Variant = BOOKWORM
    ) -> Guest:
        """Return a running server with a mirror, MIRROR01, that was just prepared."""
        return self.stock.prepared(layout, firmware, variant).thaw(self._next_directory())

    def bare_server(
        self, layout: str = "gpt", *, firmware: Firmware = BIOS, variant: Variant = BOOKWORM
    ) -> Guest:
        """Return a running Debian server without `rescue`."""
        return self.stock.booted(layout, firmware, variant).thaw(self._next_directory())

    def machine(
        self, disks: Sequence[Disk], *, firmware: Firmware = BIOS, hardware: Hardware | None = None
    ) -> Guest:
        """Return a machine that is switched on with these disks and boots from the first it can."""
        plugged = [Plugged(disk, port, port) for port, disk in enumerate(disks)]
        return Guest(
            hardware or Hardware(firmware=firmware),
            plugged,
            key=server_key(),
            directory=self._next_directory(),
        )

    def server_disk(self, layout: str = "gpt", *, variant: Variant = BOOKWORM) -> Disk:
        """Return a copy of the server's disk as it was installed, for a machine to boot."""
        return self.server_disks(layout, variant=variant)[0]

    def server_disks(self, layout: str, *, variant: Variant = BOOKWORM) -> list[Disk]:
        """Return copies of all disks of a server as it was installed."""
        directory = self._next_directory()
        directory.mkdir(parents=True)
        return [
            Disk.overlay(path, directory / f"{serial}.qcow2", serial=serial).attached_as(
                variant.disk
            )
            for serial, path in self.stock.image(layout, variant).disks
        ]

    def blank_disk(self, serial: str, *, size: int) -> Disk:
        """Return a disk of `size` bytes that was never written to."""
        return Disk.blank(self.directory / f"blank-{serial}.qcow2", size=size, serial=serial)

    def _next_directory(self) -> Path:
        self._guests += 1
        return self.directory / f"{self._guests}"


def tree(guest: Guest, source: str) -> manifest.Manifest:
    """Return what a file system of a guest holds, without what is mounted on top of it.

    `source` is a mount point, or the device of a file system that is not mounted.
    """
    script = Path(manifest.__file__)
    guest.put(script, "/run/manifest.py")
    mount = "mount -o ro" if source.startswith("/dev/") else "mount --bind"
    # A mount namespace of its own: nothing else in the guest sees this, and it ends by itself.
    steps = f"{mount} {source} /run/lab-tree && python3 /run/manifest.py /run/lab-tree"
    done = guest.run(f"mkdir -p /run/lab-tree && unshare --mount sh -c '{steps}'")
    return manifest.parse(done.stdout)
