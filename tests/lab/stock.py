"""Servers that have booted already, kept frozen, so that a scenario starts in two seconds."""

import hashlib
import importlib.util
import logging
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.lab.accel import QEMU, accelerator
from tests.lab.disk import Disk, DiskModel
from tests.lab.guest import Guest
from tests.lab.hardware import Firmware, Hardware, Plugged
from tests.lab.image import Image, layered_image, locked, server_image
from tests.lab.layered.server import LAYERED
from tests.lab.layout import LAYOUTS
from tests.lab.snapshot import Frozen, freeze
from tests.lab.variant import BOOKWORM, Variant

MIRROR = "MIRROR01"
"""Serial number of the disk that a prepared server's mirror is on."""

_LOG = logging.getLogger(__name__)

_PIP_INSTALL = (
    "python3 -m pip install --quiet --no-deps --no-index --break-system-packages "
    "--root-user-action ignore --disable-pip-version-check"
)


_DEVICES_MAY_BE_LATE = (
    "mkdir -p /etc/systemd/system.conf.d && "
    "printf '[Manager]\\nDefaultDeviceTimeoutSec=15min\\n' > /etc/systemd/system.conf.d/lab.conf"
)
"""For servers that boot again and again: udev looks at a dozen partitions by programs that a busy
machine emulates, and after systemd's own limit, 90 s, such a boot ended in emergency mode."""


class Stock:
    """What a test session and its workers share: images, frozen servers, `rescue` as a wheel."""

    def __init__(
        self,
        *,
        checkout: Path,
        directory: Path,
        packages: tuple[str, ...] = (),
        hardware: Hardware | None = None,
    ) -> None:
        """Nothing is built before it is asked for. `directory` is the session's own.

        `packages` are what its servers have beside what a server of the lab has, `hardware` is
        what they are, but for their firmware.
        """
        self._checkout = checkout
        self._packages = packages
        self._hardware = hardware or Hardware()
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def image(self, layout: str, variant: Variant = BOOKWORM) -> Image:
        """Return the image with a layout: `gpt` or `mbr`, or one with layers."""
        if layered := LAYERED.get(layout):
            return layered_image(layered, variant, packages=self._packages)
        return server_image(LAYOUTS[layout], variant, packages=self._packages)

    def wheel(self) -> Path:
        """Return `rescue` as it is in the checkout, as a wheel."""
        folder = self._directory / "wheel"
        with locked(self._directory, "wheel"):
            built = next(folder.glob("*.whl"), None)
            return built or build_wheel(self._checkout, folder)

    def booted(self, layout: str, firmware: Firmware, variant: Variant = BOOKWORM) -> Frozen:
        """Return a server that reached multi-user; kept in the cache beside its image.

        One that cannot be frozen is its image as it was installed.
        """
        image = self.image(layout, variant)
        hardware = replace(self._hardware, firmware=firmware)
        with locked(image.directory):
            options = accelerator(nested=hardware.nested)
            directory = image.directory / _frozen_name(variant, layout, hardware, options)
            if not directory.exists():
                unfinished = image.directory / f"tmp-{directory.name}"
                options = _make_first(image, hardware, variant, unfinished) or options
                # By other options than before, where KVM was given up in between.
                directory = image.directory / _frozen_name(variant, layout, hardware, options)
                shutil.rmtree(directory, ignore_errors=True)
                unfinished.rename(directory)
        plugged = _plugged(image, variant, directory)
        return Frozen(hardware, plugged, directory, image.key, options)

    def installed(self, layout: str, firmware: Firmware, variant: Variant = BOOKWORM) -> Frozen:
        """Return a booted server on which `rescue` is installed."""
        base = self.booted(layout, firmware, variant)
        wheel = self.wheel()
        return self._kept("installed", base, lambda guest: install(guest, wheel))

    def prepared(self, layout: str, firmware: Firmware, variant: Variant = BOOKWORM) -> Frozen:
        """Return a server with `rescue` and a mirror, MIRROR01, that was just prepared."""
        if variant.can_be_frozen:
            base = self.installed(layout, firmware, variant)
            return self._kept("prepared", base, lambda guest: _prepare(guest, variant.mirror))
        # Both in one go: what is not frozen boots each time.
        wheel = self.wheel()

        def change(guest: Guest) -> None:
            guest.run(_DEVICES_MAY_BE_LATE)
            install(guest, wheel)
            _prepare(guest, variant.mirror)

        return self._kept("prepared", self.booted(layout, firmware, variant), change)

    def _kept(self, name: str, base: Frozen, change: Callable[[Guest], None]) -> Frozen:
        """Return the server that `change` made of another; whoever asks first makes it."""
        directory = self._directory / f"{name}-{base.directory.name}"
        description = directory / "frozen.pickle"
        with locked(self._directory, directory.name):
            if not description.exists():
                # Of one that could not be made: each test that asks for it tries anew.
                shutil.rmtree(directory, ignore_errors=True)
                with base.thaw(directory) as guest:
                    change(guest)
                    description.write_bytes(pickle.dumps(freeze(guest, directory)))
            kept: Frozen = pickle.loads(description.read_bytes())
            return kept


def install(guest: Guest, wheel: Path) -> None:
    """Install a wheel of `rescue` in a guest; what it depends on is in the image."""
    _LOG.info("rescue is installed on the server")
    guest.put(wheel, "/var/tmp/")
    guest.run(f"{_PIP_INSTALL} --force-reinstall /var/tmp/{wheel.name}")
    guest.run(f"rm /var/tmp/{wheel.name} && sync")


def _prepare(guest: Guest, model: DiskModel) -> None:
    if model.comes_and_goes:
        size = guest.plugged[0].disk.size
        blank = Disk.blank(guest.directory / f"blank-{MIRROR}.qcow2", size=size, serial=MIRROR)
        guest.attach(blank.attached_as(model))
    guest.run(f"rescue prepare {MIRROR} --yes --expect-serial {MIRROR} && sync")


def build_wheel(checkout: Path, target: Path) -> Path:
    """Build the checkout's wheel; with hatchling from this environment if it is there."""
    argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(target)]
    if importlib.util.find_spec("hatchling"):
        argv.append("--no-build-isolation")
    done = subprocess.run([*argv, str(checkout)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"the wheel cannot be built:\n{done.stdout}{done.stderr}")
    return next(target.glob("*.whl"))


def _make_first(
    image: Image, hardware: Hardware, variant: Variant, unfinished: Path
) -> tuple[str, ...]:
    """Make a server in a folder; return QEMU's options that it is frozen with, or none."""
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    plugged = _plugged(image, variant, unfinished)
    installed = dict(image.disks)
    for each in (plug.disk for plug in plugged):
        if each.serial in installed:
            Disk.overlay(installed[each.serial], each.path, serial=each.serial)
        else:
            Disk.blank(each.path, size=plugged[0].disk.size, serial=each.serial)
    if not variant.can_be_frozen:
        return ()
    return _boot_and_freeze(Guest(hardware, plugged, key=image.key, directory=unfinished))


def _boot_and_freeze(guest: Guest) -> tuple[str, ...]:
    _LOG.info("the server is started for the first time, and its state is kept")
    with guest:
        guest.wait_for_ssh()
        if failed := guest.failed_units():
            raise OSError(f"the server's image is not sound: {failed} failed")
        guest.run("sync")
        return freeze(guest, guest.directory).accelerator


def _plugged(image: Image, variant: Variant, directory: Path) -> tuple[Plugged, ...]:
    """Return the disks a server is switched on with: a mirror's only where it cannot come later."""
    # The first one's name says nothing of its serial number: frozen servers are kept with it.
    names = ("disk", *(f"disk-{serial}" for serial, _ in image.more))
    sources = tuple(
        Plugged(
            Disk(path=directory / f"{name}.qcow2", serial=serial, model=variant.disk), port, port
        )
        for port, (name, (serial, _)) in enumerate(zip(names, image.disks, strict=True))
    )
    if variant.mirror.comes_and_goes:
        return sources
    blank = Disk(path=directory / "blank.qcow2", serial=MIRROR, model=variant.mirror)
    return (*sources, Plugged(blank, len(sources)))


def _frozen_name(
    variant: Variant, layout: str, hardware: Hardware, options: tuple[str, ...]
) -> str:
    """Return a folder's name that stands for all that a frozen guest can only be thawed with."""
    version = subprocess.run([QEMU, "--version"], capture_output=True, check=True).stdout
    here = Path(__file__).with_name("hardware.py").read_bytes()
    asked = " ".join((*options, repr(hardware))).encode()
    digest = hashlib.sha256(version + here + asked).hexdigest()[:8]
    return f"frozen-{variant.name}-{layout}-{hardware.firmware}-{digest}"
