"""One proof, from the overlay to the verdict; the mirror's disk is only read."""

from dataclasses import dataclass, replace
from pathlib import Path
from time import time

from rescue import paths
from rescue.model.boot.firmware import Firmware
from rescue.model.proof import Evidence, Proof, ProofPlan
from rescue.model.virtual import VirtualDisk, VirtualMachine
from rescue.proof.inject import inject
from rescue.proof.observe import observe
from rescue.proof.verdict import accelerator_note, judge, may_be_the_accelerator, times_of
from rescue.system.block.overlay import PLACE, Overlay, exported, overlay_of
from rescue.system.files import mount_namespace
from rescue.system.vm.accelerator import Accelerator
from rescue.system.vm.qemu import expect_installed
from rescue.system.vm.qmp import QmpError


@dataclass(frozen=True, kw_only=True)
class ProofRun:
    """A verdict and its evidence; `picture` is a PNG, empty where none could be taken."""

    proof: Proof
    evidence: Evidence
    picture: bytes = b""


def prove(
    plan: ProofPlan,
    firmware: Firmware,
    accelerator: Accelerator,
    *,
    room: Path = paths.PROOF,
    place: Path = PLACE,
) -> ProofRun:
    """Boot the mirror over an overlay with one kind of firmware, and judge what was observed.

    A guest that is lost under KVM is booted again in emulation, and so are those after it.
    Moves this process into a private mount namespace. Raises UsageError where QEMU or its tools
    are not installed, RescueError where the host's own side does not work: that is no verdict.
    """
    expect_installed(firmware)
    started = time()
    seen: tuple[Evidence, bytes] | None = None
    if accelerator.is_kvm:
        seen = _boot_by_kvm(plan, firmware, accelerator, room=room, place=place)
    if seen is None:
        seen = _boot(plan, firmware, room=room, place=place, emulated=True)
    evidence, picture = seen
    notes = (accelerator_note(accelerator.note),) if accelerator.note else ()
    proof = Proof(
        mirror=plan.record.name,
        generation=plan.record.generation,
        at=started,
        firmware=firmware,
        times=times_of(evidence),
        ending=evidence.ending,
        findings=notes + judge(plan, evidence),
    )
    return ProofRun(proof=proof, evidence=evidence, picture=picture)


def _boot_by_kvm(
    plan: ProofPlan, firmware: Firmware, accelerator: Accelerator, *, room: Path, place: Path
) -> tuple[Evidence, bytes] | None:
    """Return what was observed under KVM, or None if KVM failed: the mirror is not at fault."""
    try:
        evidence, picture = _boot(plan, firmware, room=room, place=place, emulated=False)
    except QmpError as error:
        accelerator.give_up_kvm(str(error))
        return None
    if may_be_the_accelerator(evidence):
        accelerator.give_up_kvm(f"{evidence.ending} after {evidence.seconds:.0f} s")
        return None
    return evidence, picture


def _boot(
    plan: ProofPlan, firmware: Firmware, *, room: Path, place: Path, emulated: bool
) -> tuple[Evidence, bytes]:
    """Boot the mirror once, over an overlay of its own; return what was seen, and the screen."""
    with (
        mount_namespace.vanishing_folder(room, size="64m") as folder,
        overlay_of(plan.disk, format_=plan.format, place=place) as overlay,
    ):
        with exported(overlay, folder) as image:
            obstacle = inject(plan, image, folder)
        shot = folder / "screen.png"
        machine = replace(_machine(plan, firmware, overlay), emulated=emulated)
        # Also where the probe is not in it: how far it comes says more than why it could not be.
        evidence = observe(machine, plan, folder, picture=shot, obstacle=obstacle)
        return evidence, shot.read_bytes() if shot.exists() else b""


def _machine(plan: ProofPlan, firmware: Firmware, overlay: Overlay) -> VirtualMachine:
    disk = VirtualDisk(
        path=overlay.path,
        format=overlay.format,
        serial=plan.record.mirror.id.serial[:20],
        bus=plan.bus,
    )
    return VirtualMachine(
        firmware=firmware,
        memory_mib=plan.settings.memory_mib,
        cpus=plan.settings.cpus,
        disks=(disk,),
    )
