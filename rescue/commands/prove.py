"""`rescue prove`: boots the mirror in a virtual machine without changing a byte of it."""

from dataclasses import dataclass
from time import time

from rescue import paths
from rescue.apply.marker import store_proof
from rescue.discover.homes import homes
from rescue.discover.machine import discover
from rescue.discover.marker import Marker
from rescue.errors import ExitCode, ProofError
from rescue.grants import GuardRefusedError, grant_marker, unless_refused
from rescue.mirrors.impostors import passing_over
from rescue.mirrors.select import choose, known_records, marker_on
from rescue.model.boot.firmware import Firmware
from rescue.model.mirror.record import MirrorRecord
from rescue.model.proof import Proof, ProofPlan, ProofSettings
from rescue.model.run.exposure import Proven
from rescue.model.storage.machine import Machine
from rescue.model.virtual import Accel
from rescue.plan.checks.recognise import attached_mirror, is_attached
from rescue.plan.checks.target_checks import machine_refusals
from rescue.proof import store
from rescue.proof.plan import is_due, plan_proof
from rescue.proof.proof import prove as boot
from rescue.run import recorder
from rescue.run.run_history import note_proof
from rescue.status.metrics_file import publish
from rescue.store import config
from rescue.store.config import Config
from rescue.system.block import blockdev
from rescue.system.block.overlay import PLACE
from rescue.system.files.atomic import free_on
from rescue.system.notify import journal
from rescue.system.process.lock import only_one_run
from rescue.system.process.memory import available_mib
from rescue.system.vm.accelerator import Accelerator
from rescue.system.vm.qemu import expect_installed
from rescue.ui.proof import proof_lines
from rescue.ui.screen import Screen
from rescue.units import MIB


@dataclass(frozen=True, kw_only=True)
class ProveOptions:
    """What the command line asked for.

    A `scheduled` proof is not made again of what is proven; without `accel` the configuration
    decides.
    """

    name: str = ""
    scheduled: bool = False
    accel: Accel | None = None


def prove(options: ProveOptions, screen: Screen) -> ExitCode:
    """Boot the mirror over a throw-away overlay and report what was seen.

    Raises ProofError (16) where it does not work as it should; the record and the mirror's boot
    note say so then. Other RescueErrors are no verdict: nothing was proven.
    """
    with only_one_run():
        machine = discover()
        if refusals := machine_refusals(machine):
            raise GuardRefusedError(tuple(refusals))
        settings = config.load()
        machine = passing_over(machine, known_records(settings), screen)
        record = _chosen(machine, settings, options.name)
        if options.scheduled and not is_due(record):
            screen.show(f"mirror '{record.name}': its last run has already been proven")
            return ExitCode.DONE
        marker = _marker(machine, record)
        plan = _plan(machine, record, marker, settings.prove)
        for firmware in plan.firmwares:
            expect_installed(firmware)
        accelerator = Accelerator(options.accel or settings.prove.accel)
        blockdev.forget_cached(plan.disk)
        proofs = [_one(plan, firmware, accelerator, screen) for firmware in plan.firmwares]
        proven = summary(proofs)
        _settle(plan, proven, marker)
        note_proof(proven, mirror=record.name, screen=screen)
        publish(machine, screen)
        return _tell(record, proofs, proven, screen)


def _one(plan: ProofPlan, firmware: Firmware, accelerator: Accelerator, screen: Screen) -> Proof:
    """Make the proof with one of the plan's firmwares, show it and keep it."""
    screen.show(f"mirror '{plan.record.name}' ({plan.disk}) is booted with {firmware.upper()} ...")
    proven = boot(plan, firmware, accelerator)
    for line in proof_lines(proven.proof):
        screen.show(line)
    screen.show(f"  kept: {store.keep(proven)}")
    return proven.proof


def _chosen(machine: Machine, settings: Config, name: str) -> MirrorRecord:
    """Return the record of the named mirror, or of the attached one that was written last.

    Raises what `choose` raises where it is unknown or not there.
    """
    record = choose(machine, settings, name=name)
    attached = [each for each in known_records(settings) if is_attached(machine, each)]
    newest = max(attached, key=lambda each: each.last_complete, default=record)
    return record if name else newest


def _marker(machine: Machine, record: MirrorRecord) -> Marker | None:
    disk = attached_mirror(machine, record)
    return marker_on(disk, record) if disk is not None else None


def _plan(
    machine: Machine, record: MirrorRecord, marker: Marker | None, settings: ProofSettings
) -> ProofPlan:
    return unless_refused(
        plan_proof(
            machine,
            record,
            marker.record if marker else None,
            settings,
            boots=marker.boots if marker else (),
            homes=homes(),
            free_mib=available_mib(),
            room_mib=free_on(PLACE)[0] // MIB,
        )
    )


def summary(proofs: list[Proof]) -> Proven:
    """Return what is recorded of one or two proofs: the slower one, or the first that failed."""
    worst = next((each for each in proofs if not each.passed), None)
    worst = worst or max(proofs, key=lambda each: each.times.total)
    return Proven(
        generation=worst.generation,
        at=time(),
        times=worst.times,
        cause=worst.cause,
    )


def _settle(plan: ProofPlan, proven: Proven, marker: Marker | None) -> None:
    """Record the verdict here; on the mirror only a failure, or that one is over.

    Nothing else has to be written there, and the disk can stay as it is.
    """
    recorder.proven(plan.record, proven)
    said = marker.record.last_proof if marker else None
    failed_before = said is not None and not said.passed
    if failed_before or not proven.passed:
        store_proof(proven, grant_marker(plan))


def _tell(record: MirrorRecord, proofs: list[Proof], proven: Proven, screen: Screen) -> ExitCode:
    failed = [each for each in proofs if not each.passed]
    if failed:
        raise ProofError(
            f"mirror '{record.name}', generation {record.generation}, failed its proof with "
            f"{failed[0].firmware.upper()}: {failed[0].cause}",
            hint=f"see {paths.PROOFS / record.name} for the console and the screen; fix the "
            f"cause, then run 'rescue mirror {record.name}' and 'rescue prove {record.name}'",
        )
    said = f"mirror '{record.name}' is proven bootable: {proven.times.total:.0f} s"
    screen.show(said)
    journal.report_success(said)
    return ExitCode.DONE
