"""Servers that have booted already, kept frozen, so that a scenario starts in two seconds."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from tests.lab.accel import QEMU, accelerator
from tests.lab.build import SERIAL
from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.hardware import Firmware, Hardware, Plugged
from tests.lab.image import Image, locked, server_image
from tests.lab.layout import LAYOUTS
from tests.lab.snapshot import Frozen, freeze

MIRROR = "MIRROR01"
"""Serial number of the disk that a prepared server's mirror is on."""

_PIP_INSTALL = (
    "python3 -m pip install --quiet --no-deps --no-index --break-system-packages "
    "--root-user-action ignore --disable-pip-version-check"
)


class Stock:
    """What one test session shares: images, frozen servers, and `rescue` as a wheel."""

    def __init__(self, *, checkout: Path, directory: Path, packages: tuple[str, ...] = ()) -> None:
        """Nothing is built before it is asked for. `directory` is the session's own.

        `packages` are what its servers have beside what a server of the lab has.
        """
        self._checkout = checkout
        self._packages = packages
        self._directory = directory
        self._wheel: Path | None = None
        self._installed: dict[tuple[str, Firmware], Frozen] = {}
        self._prepared: dict[tuple[str, Firmware], Frozen] = {}

    def image(self, layout: str) -> Image:
        """Return the image with a layout: `gpt` or `mbr`."""
        return server_image(LAYOUTS[layout], packages=self._packages)

    def wheel(self) -> Path:
        """Return `rescue` as it is in the checkout, as a wheel."""
        if self._wheel is None:
            self._wheel = build_wheel(self._checkout, self._directory / "wheel")
        return self._wheel

    def booted(self, layout: str, firmware: Firmware) -> Frozen:
        """Return a server that reached multi-user; kept in the cache beside its image."""
        image = self.image(layout)
        hardware = Hardware(firmware=firmware)
        directory = image.directory / f"frozen-{layout}-{firmware}-{_hardware_hash()}"
        with locked(image.directory):
            if not directory.exists():
                _boot_and_freeze(image, hardware, directory)
        disk = Disk(path=directory / "disk.qcow2", serial=SERIAL)
        return Frozen(hardware, (Plugged(disk, 0, 0),), directory, image.key)

    def installed(self, layout: str, firmware: Firmware) -> Frozen:
        """Return a booted server on which `rescue` is installed."""
        key = (layout, firmware)
        if key not in self._installed:
            directory = self._directory / f"installed-{layout}-{firmware}"
            guest = self.booted(layout, firmware).thaw(directory)
            with guest:
                install(guest, self.wheel())
                self._installed[key] = freeze(guest, directory)
        return self._installed[key]

    def prepared(self, layout: str, firmware: Firmware) -> Frozen:
        """Return a server with `rescue` and a mirror, MIRROR01, that was just prepared."""
        key = (layout, firmware)
        if key not in self._prepared:
            directory = self._directory / f"prepared-{layout}-{firmware}"
            guest = self.installed(layout, firmware).thaw(directory)
            with guest:
                guest.attach_blank_disk(MIRROR)
                guest.run(f"rescue prepare {MIRROR} --yes --expect-serial {MIRROR} && sync")
                self._prepared[key] = freeze(guest, directory)
        return self._prepared[key]


def install(guest: Guest, wheel: Path) -> None:
    """Install a wheel of `rescue` in a guest; what it depends on is in the image."""
    guest.put(wheel, "/var/tmp/")
    guest.run(f"{_PIP_INSTALL} --force-reinstall /var/tmp/{wheel.name}")
    guest.run(f"rm /var/tmp/{wheel.name} && sync")


def build_wheel(checkout: Path, target: Path) -> Path:
    """Build the checkout's wheel; with hatchling from this environment if it is there."""
    argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(target)]
    if importlib.util.find_spec("hatchling"):
        argv.append("--no-build-isolation")
    done = subprocess.run([*argv, str(checkout)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"the wheel cannot be built:\n{done.stdout}{done.stderr}")
    return next(target.glob("*.whl"))


def _boot_and_freeze(image: Image, hardware: Hardware, directory: Path) -> None:
    unfinished = directory.with_name(f"tmp-{directory.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    disk = Disk.overlay(image.disk, unfinished / "disk.qcow2", serial=SERIAL)
    guest = Guest(hardware, [Plugged(disk, 0, 0)], key=image.key, directory=unfinished)
    with guest:
        guest.wait_for_ssh()
        if failed := guest.failed_units():
            raise OSError(f"the server's image is not sound: {failed} failed")
        guest.run("sync")
        freeze(guest, unfinished)
    unfinished.rename(directory)


def _hardware_hash() -> str:
    """Stand for everything a frozen guest can only be thawed with."""
    version = subprocess.run([QEMU, "--version"], capture_output=True, check=True).stdout
    here = Path(__file__).with_name("hardware.py").read_bytes()
    return hashlib.sha256(version + here + " ".join(accelerator()).encode()).hexdigest()[:8]
