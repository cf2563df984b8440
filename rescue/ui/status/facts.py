"""Facts about a mirror, in the same words on the terminal and on the page."""

import time
from dataclasses import dataclass

from rescue.model.boot.firmware import BootTimes
from rescue.model.mirror.record import FreeSpace, MirrorState
from rescue.model.run.exposure import Exposure
from rescue.model.run.history import RunEntry
from rescue.model.run.status import Health, MirrorStatus, Status
from rescue.model.storage.disk_health import DiskHealth, SmartState
from rescue.ui.rot import trouble_lines
from rescue.units import human_bytes

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SLACK = 600
"""Seconds by which a clock may have been set back since, without having been wrong."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A label and its text; `bad` marks what needs attention."""

    name: str
    said: str
    bad: bool = False


def duration_words(seconds: float) -> str:
    """Return a duration in seconds in readable form: '41 s', '12 min', '7 h 12 min'."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / _MINUTE)
    if minutes < 100:
        return f"{minutes} min"
    if minutes * _MINUTE < 2 * _DAY:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / _HOUR)
    return f"{hours // 24} days {hours % 24} h"


def times_words(times: BootTimes) -> str:
    """Return how long the parts of a boot took, in seconds."""
    return (
        f"firmware {times.firmware:.1f} s, GRUB {times.grub:.1f} s, kernel {times.kernel:.1f} s, "
        f"userspace {times.userspace:.1f} s"
    )


def moment(seconds: float) -> str:
    """Given seconds since the epoch, return date and time in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def exposure_sentence(exposure: Exposure, *, disk: str) -> str:
    """Return what the first disk's death would cost now, 'unknown' where not measured."""
    dies = f"if {disk or 'the disk'} dies now"
    if exposure.lost is None:
        return f"{dies}: everything is lost, there is no complete mirror"
    boots = (
        f"proven to boot in {duration_words(exposure.boots)}" if exposure.boots else BOOT_UNKNOWN
    )
    back = (
        f"failback about {duration_words(exposure.failback)}" if exposure.failback else BACK_UNKNOWN
    )
    if exposure.failback_from:
        back += f" (by {exposure.failback_from})"
    return f"{dies}: {duration_words(exposure.lost)} of changes are lost, {boots}, {back}"


BOOT_UNKNOWN = "time to boot unknown (not proven)"
BACK_UNKNOWN = "failback unknown (never measured)"


def mirror_facts(each: MirrorStatus, *, now: float) -> tuple[Fact, ...]:
    """Return what is known of a mirror beside its state and age."""
    found = [_last_run(each)] if each.figures else []
    found += [Fact(name="noted in it", said=said) for said in each.notes]
    if each.last_complete:
        found.append(_checksum(each, now=now))
    if each.free:
        found.append(Fact(name="room left", said=", ".join(_room(room) for room in each.free)))
    found.append(_proof(each, now=now))
    found.append(disk_fact(each.disk_health))
    if each.ill_runs:
        found.append(_ill(each.ill_runs))
    return tuple(found)


def disk_fact(health: DiskHealth | None) -> Fact:
    """Return what a disk reports about itself, and what the kernel reports about it."""
    if health is None:
        return Fact(name="disk", said="not attached, not asked")
    said = f"SMART {health.smart.state}"
    if health.smart.state in (SmartState.NO_TOOL, SmartState.UNREAD, SmartState.UNSUPPORTED):
        said = f"SMART unknown: {'; '.join(health.smart.said)}"
    if health.reasons:
        said += f": {'; '.join(health.reasons)}"
    if health.unseen:
        said += f" (not seen: {health.unseen})"
    return Fact(name="disk", said=said, bad=bool(health.reasons))


def reasons(status: Status) -> tuple[str, ...]:
    """Return the problems, one sentence for each."""
    found = list(status.damage)
    for each in status.mirrors:
        name = f"mirror '{each.name}'"
        if not each.last_complete:
            found.append(f"{name} was never complete")
        elif each.state is MirrorState.RUNNING and each.health is not Health.CRITICAL:
            found.append(f"{name} is being written now")
        elif each.state is not MirrorState.COMPLETE:
            how = "was cut" if each.state is MirrorState.RUNNING else f"is {each.state}"
            found.append(f"{name} is not complete: its last run {how}")
        if each.overdue_after:
            limit = duration_words(each.overdue_after)
            found.append(f"{name} is overdue: {duration_words(each.age)} old, its limit is {limit}")
        problems = (each.last_error, *trouble_lines(each.troubles))
        found += [f"{name}: {said}" for said in problems if said]
        if each.proof and each.failed_its_proof:
            found.append(f"{name} failed its proof: {each.proof.cause}")
    for disk, health in all_disks(status):
        found += [f"disk {disk}: {said}" for said in (health.reasons if health else ())]
    return tuple(found)


def run_words(run: RunEntry) -> str:
    """Return one line of the history in readable form."""
    words = f"{moment(run.started)}: {run.kind} {run.end}"
    if run.is_whole:
        words += f", generation {run.generation}, {duration_words(run.seconds)}"
    if run.proof is not None:
        proven = f", proven to boot in {duration_words(run.proof.times.total)}"
        words += proven if run.proof.passed else ", FAILED its proof"
    if run.exit_code:
        words += f" ({run.exit_code})"
    return f"{words}: {run.said}" if run.said else words


def all_disks(status: Status) -> tuple[tuple[str, DiskHealth | None], ...]:
    """Return every disk known by name, with its health, the running one first."""
    mirrors = ((each.disk, each.disk_health) for each in status.mirrors)
    return ((status.disk or status.device, status.disk_health), *mirrors)


def _last_run(each: MirrorStatus) -> Fact:
    done = each.figures
    assert done is not None
    return Fact(
        name="last complete run",
        said=f"{duration_words(each.took)}, {done.files_total} files checked, "
        f"{done.files_changed} changed ({human_bytes(done.bytes_changed)}), {done.deletions} "
        "deleted",
    )


def _checksum(each: MirrorStatus, *, now: float) -> Fact:
    if not each.last_checksum:
        return Fact(name="all contents compared", said="never")
    if each.last_checksum > now + _SLACK:
        said = f"never, as far as is known: {moment(each.last_checksum)} is in the future"
        return Fact(name="all contents compared", said=said, bad=True)
    ago = duration_words(max(0.0, now - each.last_checksum))
    return Fact(name="all contents compared", said=f"{ago} ago")


def _room(room: FreeSpace) -> str:
    return f"{room.mount_point} {human_bytes(room.free)} of {human_bytes(room.size)}"


def _proof(each: MirrorStatus, *, now: float) -> Fact:
    proof = each.proof
    if proof is None:
        return Fact(name="proof", said="never proven to boot")
    ago = f"{duration_words(max(0.0, now - proof.at))} ago, generation {proof.generation}"
    if not proof.passed:
        over = "" if each.failed_its_proof else "; not proven since"
        return Fact(name="proof", said=f"FAILED {ago}: {proof.cause}{over}", bad=not over)
    booted = f"booted in {duration_words(proof.times.total)} ({times_words(proof.times)})"
    return Fact(name="proof", said=f"{booted}, {ago}")


def _ill(runs: tuple[RunEntry, ...]) -> Fact:
    many = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    return Fact(
        name="in the last 30 days",
        said=f"{many} did not leave a complete mirror; the last: {run_words(runs[-1])}",
        bad=True,
    )
