"""Metrics of a machine in Prometheus' text format, for node_exporter's textfile collector
(prometheus.io/docs/instrumenting/exposition_formats).

What nobody measured has no sample. Times are seconds since the epoch, 0 where it never happened: an
alert on age fires then, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rescue.model.mirror.record import MirrorState
from rescue.model.mirror.role import Role
from rescue.model.run.status import MirrorStatus, Status
from rescue.printable import printable

FILE_NAME = "rescue.prom"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One value of a metric, with its labels."""

    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Family:
    """One metric: its name, what it means, its samples. All of ours are gauges."""

    name: str
    meaning: str
    samples: tuple[Sample, ...]


def exposition(status: Status) -> str:
    """Return the whole file."""
    return "".join(_text(family) for family in families(status) if family.samples)


def families(status: Status) -> tuple[Family, ...]:
    """Return every metric of a machine."""
    return (*_of_machine(status), *_of_disks(status), *_of_mirrors(status))


def _of_machine(status: Status) -> Iterator[Family]:
    yield _one("rescue_health", "0 all is well, 1 warning, 2 critical", float(status.health))
    on_mirror = float(status.runs_from is Role.MIRROR)
    yield _one("rescue_runs_from_mirror", "1 while the machine runs from its mirror", on_mirror)
    yield _one("rescue_checked_timestamp_seconds", "When this was determined", status.at)
    if status.exposure and status.exposure.failback:
        meaning = "How long the copy to a new first disk takes, as last measured"
        yield _one("rescue_failback_seconds", meaning, status.exposure.failback)


def _of_disks(status: Status) -> Iterator[Family]:
    known = [("source", status.disk, status.disk_health)]
    known += [("mirror", each.disk, each.disk_health) for each in status.mirrors]
    seen = [(health, (("disk", disk), ("role", role))) for role, disk, health in known if health]
    yield Family(
        name="rescue_disk_failing",
        meaning="1 if SMART or the kernel's read errors show that the disk is failing",
        samples=tuple(Sample(value=float(h.is_failing), labels=labels) for h, labels in seen),
    )
    yield Family(
        name="rescue_disk_smart",
        meaning="1, with the disk's own verdict in the label 'state'",
        samples=tuple(
            Sample(value=1.0, labels=(*labels, ("state", str(h.smart.state)))) for h, labels in seen
        ),
    )


def _of_mirrors(status: Status) -> Iterator[Family]:
    own = (status.own,) if status.own else ()
    mirrors = (*own, *status.mirrors)
    for name, meaning in _MEANINGS.items():
        yield Family(
            name=f"rescue_mirror_{name}",
            meaning=meaning,
            samples=tuple(
                Sample(value=value, labels=(("mirror", each.name), *labels))
                for each in mirrors
                for key, value, labels in _values(each)
                if key == name
            ),
        )


_MEANINGS = {
    "last_complete_timestamp_seconds": "When the last complete run ended",
    "generation": "How many complete runs there were",
    "complete": "1 if the mirror is complete",
    "attached": "1 if its disk is attached",
    "overdue": "1 if it is older than its limit",
    "last_checksum_timestamp_seconds": "When all contents were last compared",
    "ill_runs": "Runs of the last 30 days that did not leave a complete mirror",
    "last_run_duration_seconds": "How long the last complete run took",
    "last_run_files": "Files that the last complete run checked",
    "last_run_changed_files": "Files that the last complete run wrote",
    "last_run_changed_bytes": "Size of the files that the last complete run wrote",
    "last_run_deleted_files": "Files that the last complete run deleted",
    "last_run_vanished_files": "Files that vanished while the last complete run copied them",
    "last_run_unreadable_files": "Files that the last complete run could not read",
    "size_bytes": "Size of a file system of the mirror after the last complete run",
    "free_bytes": "Room left on a file system of the mirror after the last complete run",
    "proof_passed": "1 if the last proof booted the mirror and found everything in place",
    "proof_timestamp_seconds": "When the last proof was",
    "proof_boot_seconds": "How long the mirror booted in the last proof",
}

_Value = tuple[str, float, tuple[tuple[str, str], ...]]


def _values(each: MirrorStatus) -> Iterator[_Value]:
    yield "last_complete_timestamp_seconds", each.last_complete, ()
    yield "generation", float(each.generation), ()
    yield "complete", float(each.state is MirrorState.COMPLETE), ()
    yield "attached", float(each.attached), ()
    yield "overdue", float(each.overdue_after > 0), ()
    yield "last_checksum_timestamp_seconds", each.last_checksum, ()
    yield "ill_runs", float(len(each.ill_runs)), ()
    if (done := each.figures) is not None:
        yield "last_run_duration_seconds", each.took, ()
        yield "last_run_files", float(done.files_total), ()
        yield "last_run_changed_files", float(done.files_changed), ()
        yield "last_run_changed_bytes", float(done.bytes_changed), ()
        yield "last_run_deleted_files", float(done.deletions), ()
        yield "last_run_vanished_files", float(done.vanished), ()
        yield "last_run_unreadable_files", float(done.unreadable), ()
    for room in each.free:
        yield "size_bytes", float(room.size), (("mount_point", room.mount_point),)
        yield "free_bytes", float(room.free), (("mount_point", room.mount_point),)
    if (proof := each.proof) is not None:
        yield "proof_passed", float(proof.passed), ()
        yield "proof_timestamp_seconds", proof.at, ()
        yield "proof_boot_seconds", proof.times.total, ()


def _one(name: str, meaning: str, value: float) -> Family:
    return Family(name=name, meaning=meaning, samples=(Sample(value=value),))


def _text(family: Family) -> str:
    meaning = printable(family.meaning).replace("\\", r"\\")
    lines = [f"# HELP {family.name} {meaning}", f"# TYPE {family.name} gauge"]
    for sample in family.samples:
        labels = ",".join(f'{name}="{escape(value)}"' for name, value in sample.labels)
        braces = f"{{{labels}}}" if labels else ""
        lines.append(f"{family.name}{braces} {sample.value!r}")
    return "\n".join(lines) + "\n"


def escape(value: str) -> str:
    """Return a label's value as the format wants it, on one line whatever it holds."""
    return printable(value).replace("\\", r"\\").replace('"', r"\"")
