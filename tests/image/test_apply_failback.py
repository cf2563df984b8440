"""A failback between real file systems: what the new disk has, and how the roles are changed."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.apply import handover as handover_module
from rescue.apply.engine import apply_plan
from rescue.apply.handover import hand_over, turned
from rescue.apply.marker import store_marker
from rescue.errors import RescueError
from rescue.model.mirror.plan import Plan, PlanKind
from rescue.model.mirror.record import Handover, MirrorState
from rescue.model.mirror.role import Role
from rescue.model.mirror.secret import Secret
from rescue.model.mirror.step import WriteBootFiles
from rescue.store import config
from rescue.store.records import (
    load_boots,
    load_handover,
    load_marker,
    load_record,
    save_handover,
    save_marker,
)
from tests.image.loopdisks import ChildError, DiskPair, disk_pair, in_child, sh, tree_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

UNIT = "etc/systemd/system/rescue-booted.service"
WANTED = "etc/systemd/system/multi-user.target.wants/rescue-booted.service"
OWN = (
    ".rescue",
    "etc/fstab",
    "etc/rescue",
    "etc/initramfs-tools/conf.d",
    "etc/systemd/system",
    "boot/grub/grub.cfg",
    "boot/initrd.img-6.1.0-1",
    "run",
    "var/lib",
)


@pytest.fixture(name="pair")
def pair_(tmp_path: Path) -> Iterator[DiskPair]:
    """The source is a running mirror, with the files that only a mirror has."""
    with disk_pair(tmp_path) as made:
        save_marker(made.root, replace(made.record, state=MirrorState.COMPLETE, generation=7))
        (made.root / ".rescue/booted").write_text("the-boot 2026-11-24T01:02:03Z\n")
        (made.root / UNIT).write_text("[Unit]\n")
        (made.root / WANTED).parent.mkdir()
        (made.root / WANTED).symlink_to(f"/{UNIT}")
        yield made


def plan_of(pair: DiskPair, *, first: bool) -> Plan:
    plan = pair.plan(first=first)
    steps = tuple(
        replace(step, role=Role.SOURCE) if isinstance(step, WriteBootFiles) else step
        for step in plan.steps
    )
    return replace(plan, kind=PlanKind.FAILBACK, steps=steps)


def carry_out(pair: DiskPair, *, first: bool) -> None:
    plan = plan_of(pair, first=first)
    in_child(
        lambda: (
            apply_plan(
                plan, pair.grant(plan), emit=lambda event: None, site=pair.site
            ).summary.files_total
        )
    )


def handover_of(pair: DiskPair, generation: int = 8) -> Handover:
    record = replace(
        pair.record, state=MirrorState.COMPLETE, generation=generation, grub_digest="i386-pc=1"
    )
    return Handover(record=record, boot_id="the-boot", at=1.0)


def change_roles(pair: DiskPair, handover: Handover) -> None:
    plan = plan_of(pair, first=False)
    in_child(lambda: hand_over(handover, pair.grant(plan), site=pair.site, here=pair.root))


def test_the_new_disk_has_everything_but_what_makes_a_mirror(pair: DiskPair) -> None:
    carry_out(pair, first=True)
    with pair.mirror_seen() as new:
        assert tree_of(new, OWN) == tree_of(pair.root, OWN)
        assert not (new / UNIT).exists()
        assert not os.path.lexists(new / WANTED)
        assert "5a5a5a5a" in (new / "etc/initramfs-tools/conf.d/resume").read_text()
        assert pair.record.root.mirror_uuid in (new / "etc/fstab").read_text()
        marker = load_marker(new)
        assert marker is not None, "a disk that is half written passes for a first disk"
        assert marker.state is MirrorState.RUNNING
        assert load_boots(new) == ()


def test_the_roles_are_changed_on_both_disks(pair: DiskPair) -> None:
    carry_out(pair, first=True)
    change_roles(pair, handover_of(pair))

    wanted = turned(handover_of(pair).record)
    with pair.mirror_seen() as new:
        assert not (new / ".rescue").exists()
        settings = config.load(new / "etc/rescue/rescue.toml")
        assert settings.source.table_uuid == pair.record.mirror.table_uuid
        assert [(m.name, m.disk.serial) for m in settings.mirror] == [("cellar", "SOURCE-1")]
        assert load_record("cellar", new / "var/lib/rescue/mirrors") == wanted
    assert load_marker(pair.root) == wanted
    assert wanted.source == pair.record.mirror
    assert wanted.generation == 8
    assert wanted.grub_digest == "", "the old mirror's GRUB may be another by now"
    assert load_boots(pair.root) == ()
    assert load_handover(pair.root) == handover_of(pair)
    assert "STILL runs from its mirror" in (pair.root / "run/motd.d/rescue").read_text()
    assert "runs from its MIRROR" in (pair.root / ".rescue/motd").read_text()


def test_a_complete_run_onto_the_old_mirror_ends_what_was_noted_there(pair: DiskPair) -> None:
    carry_out(pair, first=True)
    with pair.mirror_seen() as mirror:
        (mirror / ".rescue/booted").write_text("a-boot 2026-11-24T01:02:03Z\n")
        save_handover(mirror, handover_of(pair))
    plan = pair.plan()
    done = replace(pair.record, state=MirrorState.COMPLETE, generation=9)
    in_child(lambda: store_marker(done, pair.grant(plan), site=pair.site))
    with pair.mirror_seen() as mirror:
        assert load_handover(mirror) is None
        assert load_boots(mirror) == ()


def test_a_handover_to_another_disk_is_refused(pair: DiskPair) -> None:
    carry_out(pair, first=True)
    given = handover_of(pair)
    other = replace(given.record.mirror, table_uuid="another")
    with pytest.raises(ChildError) as caught:
        change_roles(pair, replace(given, record=replace(given.record, mirror=other)))
    assert caught.value.kind == "RefusedError"
    assert load_handover(pair.root) is None


def test_other_mirrors_stay_enrolled(pair: DiskPair) -> None:
    other = config.MirrorEntry(
        name="attic", disk=config.DiskEntry(table_uuid="a77", serial="ATTIC-1")
    )
    old = config.DiskEntry(table_uuid="dead", serial="DEAD-1")
    here = pair.root / "etc/rescue/rescue.toml"
    config.save(config.Config(version=1, source=old).with_mirror(other), here)
    carry_out(pair, first=True)
    change_roles(pair, handover_of(pair))
    with pair.mirror_seen() as new:
        settings = config.load(new / "etc/rescue/rescue.toml")
    assert settings.source.serial == "MIRROR-1"
    assert [entry.name for entry in settings.mirror] == ["attic", "cellar"]
    assert config.load(here).source == old


def test_a_configuration_that_is_locked_on_the_new_disk_is_written(pair: DiskPair) -> None:
    old = config.DiskEntry(table_uuid="dead", serial="DEAD-1")
    here = pair.root / "etc/rescue/rescue.toml"
    config.save(config.Config(version=1, source=old), here)
    carry_out(pair, first=True)
    with pair.mirror_seen() as new:
        sh("chattr", "+i", str(new / "etc/rescue/rescue.toml"), str(new / "etc/rescue"))
    change_roles(pair, handover_of(pair))
    with pair.mirror_seen() as new:
        written = new / "etc/rescue/rescue.toml"
        assert [mirror.name for mirror in config.load(written).mirror] == ["cellar"]
        for path in (written, written.parent):
            assert "i" in sh("lsattr", "-d", str(path)).split()[0]


def test_a_link_that_leads_out_of_the_copy_is_not_followed(pair: DiskPair) -> None:
    """/var/lib/rescue lies elsewhere by an absolute link, as people do when a disk is full."""
    (pair.root / "srv/state").mkdir(parents=True)
    (pair.root / "var/lib").mkdir()
    (pair.root / "var/lib/rescue").symlink_to(pair.root / "srv/state")
    carry_out(pair, first=True)
    change_roles(pair, handover_of(pair))
    assert not list((pair.root / "srv/state").iterdir())
    with pair.mirror_seen() as new:
        assert (new / "srv/state/mirrors/cellar.json").is_file()


@pytest.mark.parametrize(
    "where", ["save_record", "save_marker", "save_handover", "forget_boots", "forget_marker"]
)
def test_wherever_the_change_is_cut_the_new_disk_is_no_first_disk_yet(
    pair: DiskPair, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    carry_out(pair, first=True)

    def cut(*_: object) -> None:
        raise RescueError("cut")

    with monkeypatch.context() as patch:
        patch.setattr(handover_module, where, cut)
        with pytest.raises(ChildError, match="cut"):
            change_roles(pair, handover_of(pair))
    with pair.mirror_seen() as new:
        assert load_marker(new) is not None
    assert load_marker(pair.root) is not None, "the running mirror forgot that it is one"

    change_roles(pair, handover_of(pair))
    with pair.mirror_seen() as new:
        assert load_marker(new) is None
    assert load_marker(pair.root) == turned(handover_of(pair).record)


def test_once_more_carries_only_what_came_since(pair: DiskPair) -> None:
    carry_out(pair, first=True)
    change_roles(pair, handover_of(pair))
    (pair.root / "home/ann/letter").write_bytes(b"arrived since")
    (pair.root / "home/ann/mail-again").unlink()

    carry_out(pair, first=False)
    with pair.mirror_seen() as new:
        marker = load_marker(new)
        assert marker is not None, "while it is written it passes for a first disk"
        assert tree_of(new, OWN) == tree_of(pair.root, OWN)
    change_roles(pair, handover_of(pair, 9))

    with pair.mirror_seen() as new:
        assert (new / "home/ann/letter").read_bytes() == b"arrived since"
        assert not (new / UNIT).exists()
        assert not (new / ".rescue").exists()
        assert load_record("cellar", new / "var/lib/rescue/mirrors").generation == 9
    found = load_marker(pair.root)
    assert found is not None
    assert found.generation == 9


def with_secret(pair: DiskPair, secret: Secret) -> DiskPair:
    return replace(pair, record=replace(pair.record, secret=secret))


def test_once_more_goes_only_onto_the_disk_that_knows_the_secret(pair: DiskPair) -> None:
    """By table and ids another disk can pass for it, and would get a copy of everything."""
    carry_out(pair, first=True)
    true = with_secret(pair, Secret.draw())
    change_roles(true, handover_of(true))
    (pair.root / "home/ann/letter").write_bytes(b"arrived since")

    with pair.mirror_seen() as new:
        before = tree_of(new)
    with pytest.raises(ChildError, match="does not know the secret of the failback") as caught:
        carry_out(with_secret(pair, Secret.draw()), first=False)
    assert caught.value.kind == "RefusedError"
    with pair.mirror_seen() as new:
        assert tree_of(new) == before

    carry_out(true, first=False)
    with pair.mirror_seen() as new:
        assert (new / "home/ann/letter").exists()
        # A run that was cut: what it left of the record may be the running mirror's own.
        (new / "var/lib/rescue/mirrors/cellar.json").unlink(missing_ok=True)
    carry_out(true, first=False)


def test_a_link_in_the_record_s_place_proves_nothing(pair: DiskPair) -> None:
    carry_out(pair, first=True)
    true = with_secret(pair, Secret.draw())
    change_roles(true, handover_of(true))
    with pair.mirror_seen() as new:
        record = new / "var/lib/rescue/mirrors/cellar.json"
        own = pair.folder / "own.json"
        own.write_bytes(record.read_bytes())
        record.unlink()
        record.symlink_to(own)
    with pytest.raises(ChildError, match="does not know the secret of the failback"):
        carry_out(true, first=False)
