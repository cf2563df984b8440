"""A mirror that cannot hold old and new at once: the source fits, so the mirror does."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

import pytest

from rescue.errors import ExitCode
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.step import BuildInitramfs, CarryFlags, Step, SyncTree, WriteBootFiles
from rescue.model.storage.filesystem import FsKind
from rescue.plan.checks.failing_source import without_deletions
from rescue.plan.checks.room import check_room, with_room
from rescue.system.files.extents import shared_bytes
from tests.fabricated_mirror import cpio
from tests.image import nights
from tests.image.loopdisks import ChildError, DiskPair, disk_pair, in_child, sh, tree_of
from tests.image.measured import estimate
from tests.image.test_apply_run import OWN

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

MIB = 1024 * 1024


def run(pair: DiskPair, plan: Plan) -> list[str]:
    """Apply a plan and complete the mirror; return the notices."""
    told = nights.night(pair, plan)
    (pair.folder / "digests").write_text(json.dumps(told.digests))
    return told.notes


def first_copy(pair: DiskPair, **sizes: int) -> None:
    """Fill the source's home with files of so many MiB, and copy it."""
    fill(pair, **sizes)
    run(pair, pair.plan(first=True))


def fill(pair: DiskPair, **sizes: int) -> None:
    for name in sizes:
        (pair.root / "home" / name).unlink(missing_ok=True)
    for name, size in sizes.items():
        (pair.root / "home" / name).write_bytes(os.urandom(size * MIB))


def expect_equal(pair: DiskPair) -> None:
    # Its own, as the rest of OWN.
    made = tuple(f"boot/{path.name}" for path in (pair.root / "boot").glob("initrd.img-*"))
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN + made) == tree_of(pair.root, OWN + made)
        left = [*mirror.rglob(".rescue~*"), *mirror.rglob("initrd.img-*.new")]
        assert left == []


def inode_of(pair: DiskPair, name: str) -> int:
    with pair.mirror_seen() as mirror:
        return (mirror / name).stat().st_ino


def test_a_large_file_that_was_renamed_is_renamed(pair: DiskPair) -> None:
    first_copy(pair, big=40)
    inode = inode_of(pair, "home/big")
    (pair.root / "home/big").rename(pair.root / "home/ann/of-last-week")
    said = run(pair, pair.plan())
    expect_equal(pair)
    assert inode_of(pair, "home/ann/of-last-week") == inode
    assert any("no room" in each and "deletions" in each for each in said)


def test_a_renamed_file_is_only_believed_after_its_content_was_compared(pair: DiskPair) -> None:
    first_copy(pair, big=40)
    times = (pair.root / "home/big").stat()
    (pair.root / "home/big").unlink()
    fill(pair, other=40)
    os.utime(pair.root / "home/other", ns=(times.st_atime_ns, times.st_mtime_ns))
    run(pair, pair.plan())
    expect_equal(pair)


def test_a_large_file_that_was_rotated(pair: DiskPair) -> None:
    first_copy(pair, log=24)
    (pair.root / "home/log").rename(pair.root / "home/log.1")
    fill(pair, log=24)
    run(pair, pair.plan())
    expect_equal(pair)


def test_a_large_file_that_was_rewritten(pair: DiskPair) -> None:
    first_copy(pair, big=40, kept=1)
    inode = inode_of(pair, "home/kept")
    fill(pair, big=40)
    said = run(pair, pair.plan())
    expect_equal(pair)
    assert inode_of(pair, "home/kept") == inode
    assert any("home/big" in each for each in said)


def test_one_file_grows_before_another_one_shrinks(pair: DiskPair) -> None:
    first_copy(pair, a=10, b=32)
    fill(pair, a=32, b=10)
    run(pair, pair.plan())
    expect_equal(pair)


def test_hard_links_that_are_rewritten_and_taken_apart(pair: DiskPair) -> None:
    fill(pair, one=40)
    os.link(pair.root / "home/one", pair.root / "home/two")
    run(pair, pair.plan(first=True))
    fill(pair, two=1, one=40)
    os.link(pair.root / "home/one", pair.root / "home/three")
    run(pair, pair.plan())
    expect_equal(pair)


def test_what_is_short_of_room_is_known_before_the_first_byte(pair: DiskPair) -> None:
    first_copy(pair, big=40)
    fill(pair, big=40)
    plan = pair.plan()
    short = in_child(lambda: list(estimate(plan, site=pair.site).short))
    assert short == ["/"]
    ahead = with_room(plan, ("/",))
    assert "/" in ahead.notes[-1]
    said = run(pair, ahead)
    assert not any("no room for the old and new files" in each for each in said), "said in the plan"
    expect_equal(pair)


def test_a_file_with_holes_needs_what_it_holds(pair: DiskPair) -> None:
    first_copy(pair, big=30)
    with (pair.root / "home/holes").open("wb") as file:
        file.truncate(500 * MIB)
        file.write(b"beginning")
    plan = pair.plan()
    assert in_child(lambda: list(estimate(plan, site=pair.site).short)) == []
    assert run(pair, plan) == []
    expect_equal(pair)


@pytest.mark.parametrize("option", ["compress=zstd:3", "compress-force=zstd:1"])
def test_what_is_compressed_here_is_compressed_there(tmp_path: Path, option: str) -> None:
    with disk_pair(tmp_path, FsKind.BTRFS) as pair:
        sh("mount", "-o", f"remount,{option}", str(pair.root))
        (pair.root / "home/text").write_bytes(b"the same again\n" * 20 * MIB)
        run(pair, pair.plan(first=True))
        expect_equal(pair)


def test_a_folder_that_is_compressed_by_its_flag_is_so_there(tmp_path: Path) -> None:
    with disk_pair(tmp_path, FsKind.BTRFS) as pair:
        texts = pair.root / "home/texts"
        texts.mkdir()
        sh("chattr", "+c", str(texts))
        (texts / "text").write_bytes(b"the same again\n" * 20 * MIB)
        plan = pair.plan(first=True)
        carry = CarryFlags(mount_point="/")
        run(pair, replace(plan, steps=(*plan.steps, carry)))
        expect_equal(pair)


@pytest.mark.parametrize("kind", [FsKind.XFS, FsKind.BTRFS])
def test_what_files_share_is_counted(tmp_path: Path, kind: FsKind) -> None:
    with disk_pair(tmp_path, kind) as pair:
        home = pair.root / "home"
        fill(pair, big=8)
        assert shared_bytes(pair.root) == 0
        for name in ("second", "third"):
            sh("cp", "--reflink=always", str(home / "big"), str(home / name))
        os.link(home / "third", home / "linked")
        sh("sync", "-f", str(home))
        assert shared_bytes(pair.root) == 2 * 8 * MIB


def test_what_cannot_fit_in_any_order_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    with disk_pair(tmp_path, FsKind.XFS) as pair:
        first_copy(pair, big=100)
        for number in range(4):
            copy = pair.root / f"home/copy{number}"
            sh("cp", "--reflink=always", str(pair.root / "home/big"), str(copy))
        ordinary = pair.plan()
        plain = tuple(replace(step, prune_last=()) for step in ordinary.steps[:1] if is_sync(step))
        plan = pair.plan(steps=plain)

        def action() -> object:
            return estimate(plan, site=pair.site).lacking

        lacking = in_child(action)
        assert isinstance(lacking, list)
        ((point, size),) = lacking
        assert point == "/"
        assert 50 * MIB < size < 400 * MIB
        refusal = check_room(((point, size),))
        assert refusal
        assert refusal.code is ExitCode.DRIFTED


def is_sync(step: Step) -> TypeGuard[SyncTree]:
    return isinstance(step, SyncTree)


def test_nothing_gives_way_for_a_source_that_is_failing(pair: DiskPair) -> None:
    first_copy(pair, big=40)
    (pair.root / "home/big").rename(pair.root / "home/other")
    plan = without_deletions(pair.plan(), ("SMART says so",))
    assert with_room(plan, ("/",)) == plan
    with pytest.raises(ChildError) as caught:
        run(pair, plan)
    assert "is full" in caught.value.message
    with pair.mirror_seen() as mirror:
        assert (mirror / "home/big").stat().st_size == 40 * MIB
        assert not list(mirror.rglob(".rescue~*"))


def make_kernel(pair: DiskPair, version: str, *, size: int) -> None:
    """Put a kernel with its modules and an initramfs of so many MiB onto the source."""
    (pair.root / "usr/lib/modules" / version).mkdir()
    (pair.root / f"boot/vmlinuz-{version}").write_bytes(os.urandom(MIB))
    packed = subprocess.run(
        ["gzip", "-1"], input=cpio({"init": os.urandom(size * MIB)}), capture_output=True
    )
    (pair.root / f"boot/initrd.img-{version}").write_bytes(packed.stdout)


def remove_kernel(pair: DiskPair, version: str) -> None:
    (pair.root / "usr/lib/modules" / version).rmdir()
    for name in ("vmlinuz", "initrd.img"):
        (pair.root / f"boot/{name}-{version}").unlink()


def name_in_menu(pair: DiskPair, *versions: str) -> None:
    entry = "menuentry '{0}' {{\n linux /vmlinuz-{0} root=x\n initrd /initrd.img-{0}\n}}\n"
    menu = "".join(entry.format(each) for each in versions)
    (pair.root / "boot/grub/grub.cfg").write_text(menu)


def night(
    pair: DiskPair, *, first: bool = False, failing_source: tuple[str, ...] = ()
) -> list[str]:
    """Run with the order of a real one: kernels, initramfs, the menu, only then the old ones go."""
    plan, known = pair.plan(first=first), pair.folder / "digests"
    digests = json.loads(known.read_text()) if known.exists() else []
    record = replace(plan.record, initramfs_digests=tuple((each, was) for each, was in digests))
    menu = next(at for at, each in enumerate(plan.steps) if isinstance(each, WriteBootFiles))
    steps = (*plan.steps[:menu], BuildInitramfs(), *plan.steps[menu:])
    plan = replace(plan, record=record, steps=steps)
    return run(pair, without_deletions(plan, failing_source))


@pytest.fixture(name="small_boot")
def small_boot_(pair: DiskPair) -> DiskPair:
    """A server whose /boot holds two kernels and no third one; the newer one is started."""
    for name in ("vmlinuz-6.1.0-1", "initrd.img-6.1.0-1"):
        (pair.root / "boot" / name).unlink()
    make_kernel(pair, "6.1.0-10", size=20)
    make_kernel(pair, "6.1.0-11", size=20)
    name_in_menu(pair, "6.1.0-11", "6.1.0-10")
    return pair


def boot_of(pair: DiskPair) -> dict[str, int]:
    """The kernels and initramfs of the mirror, each with its inode."""
    with pair.mirror_seen() as mirror:
        names = [*(mirror / "boot").glob("vmlinuz-*"), *(mirror / "boot").glob("initrd.img-*")]
        return {path.name: path.stat().st_ino for path in names}


def expect_kernels(pair: DiskPair, *versions: str) -> None:
    assert sorted(boot_of(pair)) == sorted(
        f"{name}-{version}" for version in versions for name in ("vmlinuz", "initrd.img")
    )
    with pair.mirror_seen() as mirror:
        for version in versions:
            name = f"boot/initrd.img-{version}"
            assert (mirror / name).stat().st_size > 19 * MIB
        menu = (mirror / "boot/grub/grub.cfg").read_text()
        assert menu == (pair.root / "boot/grub/grub.cfg").read_text()
    expect_equal(pair)


def test_an_initramfs_is_made_without_room_for_what_is_in_it(small_boot: DiskPair) -> None:
    night(small_boot, first=True)
    expect_kernels(small_boot, "6.1.0-10", "6.1.0-11")


def test_an_old_kernel_gives_way_and_the_one_of_the_menu_stays(small_boot: DiskPair) -> None:
    night(small_boot, first=True)
    before = boot_of(small_boot)
    remove_kernel(small_boot, "6.1.0-10")
    make_kernel(small_boot, "6.1.0-12", size=20)
    name_in_menu(small_boot, "6.1.0-12", "6.1.0-11")
    said = night(small_boot)
    expect_kernels(small_boot, "6.1.0-11", "6.1.0-12")
    after = boot_of(small_boot)
    for name in ("vmlinuz-6.1.0-11", "initrd.img-6.1.0-11"):
        assert after[name] == before[name]
    assert not any("does not boot" in each for each in said)


def test_no_kernel_gives_way_for_a_source_that_is_failing(small_boot: DiskPair) -> None:
    night(small_boot, first=True)
    before = boot_of(small_boot)
    remove_kernel(small_boot, "6.1.0-10")
    make_kernel(small_boot, "6.1.0-12", size=20)
    with pytest.raises(ChildError) as caught:
        night(small_boot, failing_source=("SMART says so",))
    assert "no room for the initramfs" in caught.value.message
    assert before.items() <= boot_of(small_boot).items()
    with small_boot.mirror_seen() as mirror:
        assert not list(mirror.rglob("*.new"))


def test_both_kernels_are_exchanged(small_boot: DiskPair) -> None:
    night(small_boot, first=True)
    for version in ("6.1.0-10", "6.1.0-11"):
        remove_kernel(small_boot, version)
    make_kernel(small_boot, "6.1.0-12", size=20)
    make_kernel(small_boot, "6.1.0-13", size=20)
    name_in_menu(small_boot, "6.1.0-13", "6.1.0-12")
    said = night(small_boot)
    expect_kernels(small_boot, "6.1.0-12", "6.1.0-13")
    assert any("does not boot" in each for each in said)


def test_every_initramfs_is_made_anew(small_boot: DiskPair) -> None:
    night(small_boot, first=True)
    for version in ("6.1.0-10", "6.1.0-11"):
        remove_kernel(small_boot, version)
        make_kernel(small_boot, version, size=20)
    night(small_boot)
    expect_kernels(small_boot, "6.1.0-10", "6.1.0-11")


def test_one_kernel_that_fits_only_alone(pair: DiskPair) -> None:
    for name in ("vmlinuz-6.1.0-1", "initrd.img-6.1.0-1"):
        (pair.root / "boot" / name).unlink()
    make_kernel(pair, "6.1.0-10", size=38)
    name_in_menu(pair, "6.1.0-10")
    night(pair, first=True)
    remove_kernel(pair, "6.1.0-10")
    make_kernel(pair, "6.1.0-11", size=38)
    name_in_menu(pair, "6.1.0-11")
    said = night(pair)
    expect_kernels(pair, "6.1.0-11")
    assert any("does not boot" in each for each in said)
