"""The source changed since the mirror was made: what is followed, and what ends the run (12)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from rescue.errors import ExitCode
from rescue.model.boot.firmware import Firmware, GrubPlatform
from rescue.model.mirror.plan import MirrorRequest, Plan
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.disk import Disk, Partition
from rescue.model.storage.filesystem import SwapArea
from rescue.model.storage.layer import Content, Foreign, Nothing
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry, Mount
from rescue.plan.mirror import plan_mirror
from tests.builders import (
    Enrolled,
    enrolled,
    ext4,
    layered,
    part,
    prepared,
    refused,
    request,
    server,
    uuid,
    volume,
    with_disk,
    with_partition,
    written,
)

COMMAND = "'rescue prepare MIR0001 --name MIR0001 --erase MIR0001'"
GIB = 1024**3


def answer(machine: Machine, record: MirrorRecord | None = None) -> object:
    known = record or enrolled().record
    return plan_mirror(machine, known, known, MirrorRequest())


def run(machine: Machine, record: MirrorRecord | None = None) -> Plan:
    plan = answer(machine, record)
    assert isinstance(plan, Plan), plan
    return plan


def source_part(machine: Machine, number: int) -> Partition:
    table = machine.disks[0].table
    assert table is not None
    return table.partition(number)


def changed_part(machine: Machine, number: int, **changes: object) -> Machine:
    new = replace(source_part(machine, number), **changes)  # type: ignore[arg-type]
    return with_disk(machine, with_partition(machine.disks[0], new))


def holding(number: int, content: Content) -> Callable[[Machine], Machine]:
    return lambda machine: changed_part(machine, number, content=content)


def with_line(
    spec: str, target: str, fstype: str, *options: str, device: str = ""
) -> Callable[[Machine], Machine]:
    line = FstabEntry(spec=spec, target=target, fstype=fstype, options=options, device=device)
    return lambda machine: replace(machine, fstab=(*machine.fstab, line))


def mounted(device: str, target: str) -> Callable[[Machine], Machine]:
    mount = Mount(device=device, target=target, fstype="ext4")
    return lambda machine: replace(machine, mounts=(*machine.mounts, mount))


def options(target: str, *new: str) -> Callable[[Machine], Machine]:
    def change(machine: Machine) -> Machine:
        lines = tuple(replace(e, options=new) if e.target == target else e for e in machine.fstab)
        return replace(machine, fstab=lines)

    return change


def remounted(old: str, new: str) -> Callable[[Machine], Machine]:
    """The file system of one mount point is at another one, as fstab says."""

    def change(machine: Machine) -> Machine:
        mounts = (replace(m, target=new) if m.target == old else m for m in machine.mounts)
        lines = (replace(e, target=new) if e.target == old else e for e in machine.fstab)
        return replace(machine, mounts=tuple(mounts), fstab=tuple(lines))

    return change


def another_partition(machine: Machine) -> Machine:
    """/home was copied to a partition of another number, with its UUID, and is mounted there."""
    machine = changed_part(machine, 5, content=Nothing(), uses=())
    new = part(7, 5120, 1024, ext4(5, "home"))
    machine = with_disk(machine, with_partition(machine.disks[0], new))
    mounts = (replace(m, device="/dev/vda7") if m.target == "/home" else m for m in machine.mounts)
    lines = (replace(e, device="/dev/vda7") if e.target == "/home" else e for e in machine.fstab)
    return replace(machine, mounts=tuple(mounts), fstab=tuple(lines))


def full_home(machine: Machine) -> Machine:
    mounts = (replace(m, used=GIB + 1) if m.target == "/home" else m for m in machine.mounts)
    return replace(grown(machine), mounts=tuple(mounts))


def grown(machine: Machine) -> Machine:
    return changed_part(machine, 5, length=source_part(machine, 5).length * 2)


def unmounted(target: str) -> Callable[[Machine], Machine]:
    return lambda machine: replace(
        machine, mounts=tuple(m for m in machine.mounts if m.target != target)
    )


def both(*changes: Callable[[Machine], Machine]) -> Callable[[Machine], Machine]:
    def change(machine: Machine) -> Machine:
        for each in changes:
            machine = each(machine)
        return machine

    return change


def new_partition(content: Content) -> Callable[[Machine], Machine]:
    return lambda machine: with_disk(
        machine, with_partition(machine.disks[0], part(7, 5120, 100, content))
    )


# --- what is followed


FOLLOWED: dict[str, tuple[Callable[[Machine], Machine], str]] = {
    "a network file system": (
        with_line("nas:/srv", "/srv/nas", "nfs", "_netdev"),
        "fstab says 'nas:/srv /srv/nas nfs _netdev' now",
    ),
    "a tmpfs": (with_line("tmpfs", "/var/tmp", "tmpfs", "size=1g"), "tmpfs size=1g' now"),
    "a bind": (with_line("/home/www", "/srv/www", "none", "bind"), "none bind' now"),
    "a stick on demand": (
        with_line("UUID=feed", "/media/stick", "vfat", "noauto"),
        "fstab says 'UUID=feed /media/stick vfat noauto' now",
    ),
    "other options": (options("/home", "noatime"), "/home ext4 noatime' now"),
    "a line is gone": (
        lambda machine: replace(machine, fstab=machine.fstab[:-1]),
        "fstab no longer says '/dev/sr0 /media/cdrom0",
    ),
    "another label": (holding(5, ext4(5, "daten")), "label of partition 5 is 'daten' now"),
    "another PARTUUID": (
        lambda machine: changed_part(machine, 5, uuid="feed-5"),
        "PARTUUID of partition 5 is 'feed-5' now",
    ),
    "swap made anew": (holding(6, SwapArea(uuid=uuid(66))), "swap area on partition 6"),
    "a partition that grew": (grown, "/home has 2.0 GiB, and 1.0 GiB on mirror 'MIR0001'"),
    "a partition nobody uses": (new_partition(Foreign(kind="ntfs")), "partition 7 (ntfs) is new"),
    "a file system nobody mounts": (new_partition(ext4(7)), "partition 7 (ext4 "),
}


@pytest.mark.parametrize("what", FOLLOWED)
def test_small_drift_is_followed_and_said(what: str) -> None:
    change, said = FOLLOWED[what]
    plan = run(change(enrolled().machine))
    assert [note for note in plan.notes if said in note], plan.notes
    # What was followed once is what the mirror was made from by then.
    again = run(change(enrolled().machine), plan.record)
    assert not [note for note in again.notes if note.startswith("followed")]
    assert again.record == plan.record


def test_a_source_that_did_not_change_changes_nothing() -> None:
    there = enrolled()
    plan = run(there.machine)
    assert (plan.record, plan.notes) == (there.record, ())


def test_a_record_of_an_older_rescue_knows_no_fstab_and_learns_it() -> None:
    there = enrolled()
    plan = run(there.machine, replace(there.record, fstab=()))
    assert (plan.record, plan.notes) == (there.record, ())


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("another label", "LABEL=daten"),
        ("another PARTUUID", "PARTUUID=feed-5"),
        ("swap made anew", f"UUID={uuid(66)}"),
        ("swap made anew", f"UUID={uuid(6)}"),
        ("another label", "LABEL=home"),
    ],
)
def test_new_names_and_former_ones_both_become_the_mirror_s(what: str, text: str) -> None:
    change, _ = FOLLOWED[what]
    record = run(change(enrolled().machine)).record
    translated = record.identifiers.translate(text)
    assert translated != text
    assert record.identifiers.find_old(translated) == ()
    # Turned around, as after a failback, the present name is the one that comes back.
    home = record.identifiers.inverted().translate(translated)
    assert record.identifiers.find_old(home)


def test_a_disk_at_another_cable_is_known_by_all_its_paths() -> None:
    machine = enrolled().machine
    new = "/dev/disk/by-path/pci-0000:00:09.0-part5"
    links = (*source_part(machine, 5).links[:2], new)
    record = run(changed_part(machine, 5, links=links)).record
    old = "/dev/disk/by-path/pci-0000:00:04.0-part5"
    for path in (new, old):
        assert record.identifiers.find_old(f"{path} /home ext4") == (path,)


def test_a_swap_area_made_anew_is_not_resumed_from_by_its_old_name() -> None:
    change, _ = FOLLOWED["swap made anew"]
    record = run(change(enrolled().machine)).record
    assert [pair.source_uuid for pair in record.swaps] == [uuid(66)]


# --- what ends with exit code 12


DRIFTED: dict[str, tuple[Callable[[Machine], Machine], str]] = {
    "another UUID": (holding(5, ext4(55)), f"/home has UUID {uuid(55)}"),
    "another mount point": (remounted("/home", "/srv/home"), "is mounted on /srv/home now"),
    "another partition": (another_partition, "/home is on partition 7 now"),
    "a new file system": (
        both(new_partition(ext4(7)), mounted("/dev/vda7", "/srv")),
        "/srv (ext4 ",
    ),
    "a new file system on demand": (
        both(
            new_partition(ext4(7)),
            with_line("/dev/vda7", "/srv", "ext4", "noauto", device="/dev/vda7"),
        ),
        "/srv (ext4 ",
    ),
    "new swap": (
        both(
            new_partition(SwapArea(uuid=uuid(7))),
            with_line(f"UUID={uuid(7)}", "none", "swap", "sw", device="/dev/vda7"),
        ),
        "swap area on partition 7",
    ),
    "more than the mirror has": (full_home, "the files of /home take 1.0 GiB"),
    "another firmware": (
        lambda machine: replace(machine, boot=replace(machine.boot, firmware=Firmware.UEFI)),
        "now boots with UEFI",
    ),
}


@pytest.mark.parametrize("what", DRIFTED)
def test_anything_else_fails_loudly_with_the_command_that_adapts_the_mirror(what: str) -> None:
    change, said = DRIFTED[what]
    record = replace(enrolled().record, platforms=(GrubPlatform.I386_PC,))
    (refusal,) = refused(answer(change(enrolled().machine), record))  # type: ignore[arg-type]
    assert refusal.code is ExitCode.DRIFTED
    assert said in refusal.reason
    assert COMMAND in refusal.hint


def test_a_file_system_that_is_away_is_to_be_mounted() -> None:
    (refusal,) = refused(answer(unmounted("/home")(without_line(enrolled().machine, "/home"))))  # type: ignore[arg-type]
    assert refusal.code is ExitCode.DRIFTED
    assert "mount /home" in refusal.hint


def without_line(machine: Machine, target: str) -> Machine:
    return replace(machine, fstab=tuple(e for e in machine.fstab if e.target != target))


def test_what_no_mirror_can_have_does_not_name_a_command_that_would_not_help() -> None:
    machine = layered(enrolled().machine, volume("/dev/mapper/vg-srv", "/dev/vda1"))
    (refusal,) = refused(answer(mounted("/dev/mapper/vg-srv", "/srv")(machine)))  # type: ignore[arg-type]
    assert refusal.code is ExitCode.DRIFTED
    assert refusal.reason.startswith("new here: /srv is on /dev/mapper/vg-srv")
    assert "prepare" not in refusal.hint


@pytest.mark.parametrize("subvolumes", [("anna",), None])
def test_a_subvolume_ends_no_run(subvolumes: tuple[str, ...] | None) -> None:
    """Any user can make one, with a line break in its name, so that no list of them is one."""
    machine = enrolled().machine
    mounts = tuple(
        replace(m, fstype="btrfs", subvolumes=subvolumes) if m.target == "/home" else m
        for m in machine.mounts
    )
    assert isinstance(answer(replace(machine, mounts=mounts)), Plan)


def test_a_file_system_on_demand_that_the_mirror_has_empty_is_not_new() -> None:
    extra = part(7, 5120, 100, ext4(7))
    line = FstabEntry(
        spec="/dev/vda7", target="/srv", fstype="ext4", options=("noauto",), device="/dev/vda7"
    )
    machine = server()
    machine = with_disk(machine, with_partition(machine.disks[0], extra))
    machine = replace(machine, fstab=(*machine.fstab, line))
    plan = prepared(machine, request())
    there = Enrolled(machine=with_disk(machine, _mirror(plan)), record=plan.record)
    assert run(there.machine, there.record).notes == ()


def _mirror(plan: Plan) -> Disk:
    return written(plan, "/dev/vdb")


@pytest.mark.parametrize("options_", [("noauto", "x-systemd.automount"), ("x-systemd.automount",)])
@pytest.mark.parametrize("target", ["/boot/efi", "/home"])
def test_what_is_mounted_on_demand_and_does_not_answer_is_named(
    target: str, options_: tuple[str, ...]
) -> None:
    there = enrolled()
    machine = options(target, *options_)(unmounted(target)(there.machine))
    (refusal,) = refused(answer(replace(machine, unanswered=(target,))))  # type: ignore[arg-type]
    assert refusal.code is ExitCode.DRIFTED
    assert f"{target} is mounted on demand" in refusal.reason
    assert "120 s" in refusal.reason
    assert "prepare" not in refusal.hint
