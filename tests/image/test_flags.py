"""Inode flags (chattr) on both sides; what is immutable keeps no run from writing.

lsattr and chattr are the judges.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.discover.filesystems import read_options
from rescue.model.mirror.step import CarryFlags, TuneFilesystem
from rescue.model.storage.filesystem import ExtSettings, FsKind
from rescue.plan.checks.failing_source import without_deletions
from rescue.system.files import inode_flags
from tests.image.loopdisks import DiskPair, disk_pair, sh, tree_of
from tests.image.test_apply_run import OWN
from tests.image.test_room import run

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

ODD = "new\nline -d"
"""A name that lsattr prints over two lines, and that looks like an option."""


@pytest.fixture(name="pair", params=[FsKind.EXT4, FsKind.XFS, FsKind.BTRFS])
def pair_(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DiskPair]:
    with disk_pair(tmp_path, request.param) as made:
        yield made


def night(pair: DiskPair, *, first: bool = False, failing: bool = False) -> list[str]:
    plan = pair.plan(first=first)
    carry = tuple(CarryFlags(mount_point=point) for point in ("/", "/boot"))
    plan = replace(plan, steps=(*plan.steps, *carry))
    return run(pair, without_deletions(plan, ("SMART says so",)) if failing else plan)


def flags_in(root: Path) -> dict[str, str]:
    """Every file and folder that has flags, by lsattr; 'e' is the file system's own."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                continue
            argv = [b"lsattr", b"-d", os.fsencode(path)]
            said = subprocess.run(argv, check=True, capture_output=True).stdout.split()[0].decode()
            if letters := said.replace("-", "").replace("e", ""):
                found[str(path.relative_to(root))] = letters
    return found


def expect_equal(pair: DiskPair) -> None:
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN) == tree_of(pair.root, OWN)
        assert flags_in(mirror) == flags_in(pair.root)


def lock(pair: DiskPair) -> None:
    """Set flags on files, folders, a kernel, a file of the boot, a name that is hard to print."""
    root = pair.root
    (root / "home/ann" / ODD).write_bytes(b"odd")
    (root / "home/locked/inner").mkdir(parents=True)
    (root / "home/locked/inner/file").write_bytes(b"in a folder that is locked")
    (root / "home/log").write_bytes(b"line\n")
    sh("chattr", "+i", str(root / "home/ann/mail"), str(root / "boot/vmlinuz-6.1.0-1"))
    sh("chattr", "+i", str(root / "etc/fstab"), str(root / "home/ann" / ODD))
    sh("chattr", "+a", str(root / "home/log"))
    sh("chattr", "+d", str(root / "var/odd/suid"))
    sh("chattr", "+iA", str(root / "home/locked"))
    sh("chattr", "+A", str(root / "home/locked/inner"))


def test_flags_are_carried_and_nothing_that_is_locked_stops_a_run(pair: DiskPair) -> None:
    lock(pair)
    assert night(pair, first=True) == []
    assert flags_in(pair.root)["home/ann/mail"] == "i"
    expect_equal(pair)

    # Equal, and changed: a file, its folder, the boot's files, and one that is gone.
    assert night(pair) == []
    expect_equal(pair)
    root = pair.root
    with (root / "home/log").open("ab") as file:
        file.write(b"another\n")
    locked = ("etc/fstab", "home/ann/mail", "home/locked", f"home/ann/{ODD}")
    sh("chattr", "-i", *(str(root / name) for name in (*locked, "boot/vmlinuz-6.1.0-1")))
    (root / "home/ann/mail").write_bytes(b"changed")
    with (root / "etc/fstab").open("a") as file:
        file.write("# a new line\n")
    (root / "home/locked/new").write_bytes(b"new")
    (root / "home/ann" / ODD).unlink()
    (root / "boot/vmlinuz-6.1.0-1").unlink()
    sh("chattr", "+i", *(str(root / name) for name in locked[:3]))
    assert night(pair) == []
    expect_equal(pair)

    sh("chattr", "-ia", *(str(root / name) for name in (*locked[:3], "home/log")))
    assert night(pair) == []
    expect_equal(pair)


def test_what_stays_on_the_mirror_stays_locked(pair: DiskPair) -> None:
    lock(pair)
    night(pair, first=True)
    sh("chattr", "-i", str(pair.root / "home/ann/mail"))
    for name in ("mail", "mail-again"):
        (pair.root / "home/ann" / name).unlink()
    night(pair, failing=True)
    with pair.mirror_seen() as mirror:
        assert flags_in(mirror)["home/ann/mail"] == "i"


def test_flags_that_somebody_set_on_the_mirror_are_taken_back(pair: DiskPair) -> None:
    night(pair, first=True)
    with pair.mirror_seen() as mirror:
        sh("chattr", "+i", str(mirror / "home/ann/mail"), str(mirror / "home"))
    (pair.root / "home/new").write_bytes(b"new")
    (pair.root / "home/ann/mail").write_bytes(b"changed")
    night(pair)
    expect_equal(pair)


def test_no_copy_on_write_is_given_to_the_folder_before_anything_is_in_it(tmp_path: Path) -> None:
    with disk_pair(tmp_path, FsKind.BTRFS) as pair:
        disks = pair.root / "var/disks/images"
        disks.mkdir(parents=True)
        sh("chattr", "+C", str(disks))
        (disks / "one").write_bytes(b"x" * 100_000)
        assert flags_in(pair.root)["var/disks/images/one"] == "C"
        assert night(pair, first=True) == []
        expect_equal(pair)
        (disks / "one").write_bytes(b"y" * 100_000)
        (disks / "two").write_bytes(b"z" * 100_000)
        assert night(pair) == []
        expect_equal(pair)

        lone = pair.root / "var/odd/lone"
        lone.touch()
        sh("chattr", "+C", str(lone))
        lone.write_bytes(b"content")
        (said,) = night(pair)
        assert "/var/odd/lone (C)" in said


def test_what_tune2fs_sets_is_set_on_the_mirror(tmp_path: Path) -> None:
    with disk_pair(tmp_path) as pair:
        settings = ExtSettings(reserved=0.0, errors="remount-ro", mount_defaults=("acl",))
        plan = pair.plan(first=True)
        tune = TuneFilesystem(mount_point="/boot", settings=settings)
        run(pair, replace(plan, steps=(tune, *plan.steps)))
        seen, _ = read_options(FsKind.EXT4, pair.devices["/boot"], version="")
        assert seen.ext == settings
        other, _ = read_options(FsKind.EXT4, pair.devices["/"], version="")
        assert other.ext is not None
        assert other.ext.reserved == 5.0


def test_flags_are_named_as_chattr_names_them(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    sh("chattr", "+iAd", str(path))
    try:
        flags = inode_flags.flags_of(path)
        assert flags is not None
        assert inode_flags.letters(flags) == "idA"
        assert dict(inode_flags.flagged(tmp_path)) == {"file": flags}
    finally:
        assert inode_flags.set_flags(path, 0)
    assert "i" not in sh("lsattr", str(path)).split()[0]
    assert inode_flags.flags_of(tmp_path / "gone") is None
