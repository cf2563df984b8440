"""What lies beside the files: followed where it can be, and named where it is not copied."""

from dataclasses import replace

from rescue.errors import ExitCode
from rescue.model.finding import Refused
from rescue.model.mirror.plan import MirrorRequest, Plan
from rescue.model.mirror.step import SyncTree, TuneFilesystem
from rescue.model.storage.disk import Disk
from rescue.model.storage.filesystem import ExtSettings, FileSystem
from rescue.model.storage.place import number_of
from rescue.plan.mirror import plan_mirror
from rescue.plan.prepare import plan_prepare
from tests.builders import (
    enrolled,
    prepared,
    refused,
    request,
    server,
    with_disk,
    with_partition,
)

ROOMY = ExtSettings(reserved=0.0, errors="continue")
USUAL = ExtSettings(reserved=5.0, errors="continue")


def with_settings(disk: Disk, number: int, settings: ExtSettings) -> Disk:
    part = next(part for part in disk.partitions if part.number == number)
    assert isinstance(part.content, FileSystem)
    options = replace(part.content.options, ext=settings)
    return with_partition(disk, replace(part, content=replace(part.content, options=options)))


def tuned(here: ExtSettings, there: ExtSettings) -> list[TuneFilesystem]:
    known = enrolled()
    pair = known.record.root
    source, mirror = known.machine.root_disk, known.machine.disk_at("/dev/vdb")
    assert source
    assert mirror
    machine = with_disk(known.machine, with_settings(source, number_of(pair.place), here))
    machine = with_disk(machine, with_settings(mirror, number_of(pair.place), there))
    plan = plan_mirror(machine, known.record, known.record, MirrorRequest())
    assert isinstance(plan, Plan), plan
    first = next(at for at, step in enumerate(plan.steps) if isinstance(step, SyncTree))
    found = [step for step in plan.steps[:first] if isinstance(step, TuneFilesystem)]
    assert len(found) == sum(isinstance(step, TuneFilesystem) for step in plan.steps)
    return found


def test_a_setting_that_changed_is_followed_before_anything_is_mounted() -> None:
    assert tuned(ROOMY, USUAL) == [TuneFilesystem(mount_point="/", settings=ROOMY)]
    assert tuned(USUAL, USUAL) == []
    hidden = replace(USUAL, quotas=("usrquota",))
    assert tuned(hidden, USUAL) == [], "quotas are made with the file system"


def test_limits_that_lie_outside_the_files_are_named() -> None:
    machine = server()
    assert not any("quota" in note for note in prepared(machine).notes)
    source = machine.root_disk
    assert source
    mount = machine.mount_at("/home")
    assert mount
    part = next(p for p in source.partitions if p.path == mount.device)
    hidden = replace(USUAL, quotas=("usrquota", "prjquota"))
    noted = prepared(with_disk(machine, with_settings(source, part.number, hidden))).notes
    assert any("/home has quotas (user, project)" in note for note in noted)


def shared_on(size: int) -> Plan | Refused:
    machine = server()
    mounts = tuple(
        replace(mount, shared=size) if mount.target == "/home" else mount
        for mount in machine.mounts
    )
    return plan_prepare(replace(machine, mounts=mounts), request())


def test_what_files_share_is_named_and_refused_where_it_does_not_fit() -> None:
    plan = shared_on(1024)
    assert isinstance(plan, Plan)
    assert any("/home share their data" in note for note in plan.notes)
    (refusal,) = refused(shared_on(1 << 50))
    assert refusal.code is ExitCode.UNSUPPORTED
    assert "/home" in refusal.reason
