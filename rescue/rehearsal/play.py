"""Playing the rehearsal: a guest on the mirror, then a guest on the new disk alone."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rescue import paths
from rescue.errors import RescueError
from rescue.model.rehearsal import Boot, DrillPlan, Line, Part
from rescue.model.virtual import REPORT, DiskBus, ImageFormat, VirtualDisk, VirtualMachine
from rescue.rehearsal.disks import make_first, make_mirror
from rescue.rehearsal.plan import MEMORY_MIB
from rescue.rehearsal.script import script_settings
from rescue.system.block.overlay import Overlay, blank_disk, overlay_of
from rescue.system.files import mount_namespace
from rescue.system.vm.accelerator import SILENT_SECONDS, Accelerator
from rescue.system.vm.qemu import PoweredOn, Silence, powered_on
from rescue.system.vm.qmp import QmpError

BOOT_SECONDS = 900.0
"""How long a guest may take until it says its first word; emulated ones take two minutes."""

_FOLDER_SIZE = "128m"
_STICK_SERIAL = "DRILL-STICK"
_EVERY = 0.5
_CLOSE_SECONDS = 60.0
_CPUS = 2


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a rehearsal needs in addition to its plan.

    `stick` is an image of the rescue medium; `bus` is the one by which the machine reaches its
    disks; `format` is what lies in `plan.mirror_path`. `accelerator` is given KVM up by a guest
    that KVM loses.
    """

    stick: Path
    bus: DiskBus
    accelerator: Accelerator
    format: ImageFormat = ImageFormat.RAW


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """The callbacks: `heard` gets each line as it comes, `keep` a guest's observations at its end.

    With them comes a PNG picture of its screen if it hung, otherwise b''.
    """

    heard: Callable[[Line], None]
    keep: Callable[[Part, Boot, bytes], None]


def play(plan: DrillPlan, setup: Setup, callbacks: Callbacks) -> tuple[Boot, ...]:
    """Make the disks, play the rehearsal, and start the new disk alone if it came to its end.

    Returns what was observed of each guest. Everything is gone when this returns, raises or is
    killed: the disks have no names, and what shows or mounts them lives in a private mount
    namespace. Raises RescueError where the disks cannot be made or a guest cannot be started.
    """
    end = time.monotonic() + plan.limit
    place = Path(plan.work_dir)
    with ExitStack() as held:
        folder = held.enter_context(
            mount_namespace.vanishing_folder(paths.DRILL, size=_FOLDER_SIZE)
        )
        mirror, first = (
            held.enter_context(overlay_of(plan.mirror_path, format_=setup.format, place=place))
            for _ in range(2)
        )
        new = held.enter_context(blank_disk(plan.new_size, place=place))
        make_first(plan, first, folder)
        make_mirror(plan, mirror, folder, settings=script_settings(plan, channel=REPORT))
        disks = (
            VirtualDisk(
                path=str(setup.stick),
                format=ImageFormat.RAW,
                serial=_STICK_SERIAL,
                bus=DiskBus.USB,
                read_only=True,
            ),
            _disk(first, plan.first.serial, setup.bus),
            _disk(mirror, plan.mirror_disk.serial[:20], setup.bus),
            _disk(new, plan.new_serial, setup.bus),
        )
        stage = Stage(plan, setup.accelerator, callbacks, folder, end)
        night = stage.boot(Part.NIGHT, disks)
        if night.trouble or not _came_to_its_end(night):
            return (night,)
        return night, stage.boot(Part.HOME, disks[-1:])


def _disk(overlay: Overlay, serial: str, bus: DiskBus) -> VirtualDisk:
    return VirtualDisk(path=overlay.path, format=overlay.format, serial=serial, bus=bus)


def _came_to_its_end(boot: Boot) -> bool:
    """Whether the last pass of the failback succeeded: otherwise there is no disk to start."""
    texts = [line.text.strip() for line in boot.lines]
    return "@ done again 0" in texts and f"@ end {Part.NIGHT}" in texts


@dataclass(frozen=True)
class Stage:
    """Where the guests of one rehearsal play; `end` is when its time is over (monotonic)."""

    plan: DrillPlan
    accelerator: Accelerator
    callbacks: Callbacks
    folder: Path
    end: float

    def boot(self, part: Part, disks: tuple[VirtualDisk, ...]) -> Boot:
        """Switch a guest on and listen until it is off, or its time is over.

        One that KVM loses before it begins is switched on again in emulation: its disks are then
        as after a power cut.
        """
        if self.accelerator.is_kvm:
            try:
                return self._boot(part, disks, emulated=False)
            except (_LostByKvmError, QmpError) as error:
                self.accelerator.give_up_kvm(str(error))
        return self._boot(part, disks, emulated=True)

    def _boot(self, part: Part, disks: tuple[VirtualDisk, ...], *, emulated: bool) -> Boot:
        plan = self.plan
        machine = VirtualMachine(
            firmware=plan.firmware,
            memory_mib=MEMORY_MIB,
            cpus=_CPUS,
            disks=disks,
            emulated=emulated,
        )
        folder = self.folder / part.value
        folder.mkdir(exist_ok=True)
        with powered_on(machine, folder) as guest:
            lines, trouble = self._listen(guest, emulated=emulated)
            screen = _screen(guest, folder / "screen.png") if trouble else b""
            if not trouble:
                # Ended in order, so that QEMU keeps nothing of the new disk to itself.
                guest.close_disks(seconds=_CLOSE_SECONDS)
            console = guest.console.strip() or guest.report
            boot = Boot(lines=lines, console=console, seconds=guest.seconds, trouble=trouble)
        self.callbacks.keep(part, boot, screen)
        return boot

    def _listen(self, guest: PoweredOn, *, emulated: bool) -> tuple[tuple[Line, ...], str]:
        """Return every line of the guest's report with its time, and what was wrong with its end.

        Raises _LostByKvmError where one under KVM ends, or shows no sign of life, before it begins.
        """
        lines: list[Line] = []
        silence = Silence()
        while True:
            # Asked first: what is written before the power goes off is read once more.
            on = guest.is_on
            fresh = guest.report.split("\n")[len(lines) : -1]
            for text in fresh:
                lines.append(Line(at=guest.seconds, text=text))
                self.callbacks.heard(lines[-1])
            begun = any(line.text.startswith("@ begin") for line in lines)
            if not on:
                if not emulated and not begun:
                    raise _LostByKvmError("the guest ended before it began")
                return tuple(lines), ""
            if time.monotonic() > self.end:
                limit = self.plan.limit / 60
                return tuple(lines), f"stopped after {limit:.0f} min, the time limit of a drill"
            if not begun and guest.seconds > BOOT_SECONDS:
                return tuple(lines), f"it gave no sign of life in {BOOT_SECONDS / 60:.0f} min"
            if not emulated and not begun:
                lasts = silence.lasts(guest.signs_of_life, guest.seconds)
                if lasts > SILENT_SECONDS:
                    raise _LostByKvmError(f"no sign of life of the guest for {lasts:.0f} s")
            time.sleep(_EVERY)


class _LostByKvmError(RescueError):
    """A guest under KVM ended, or showed no sign of life, before it began."""


def _screen(guest: PoweredOn, path: Path) -> bytes:
    """Return a picture of the screen, or b'' without one: many machines print everything there."""
    try:
        guest.screendump(path)
        return path.read_bytes()
    except (RescueError, OSError):
        return b""
