import os
from pathlib import Path

import pytest

from rescue.apply.bootfiles import matches, translated
from rescue.apply.grub import complete_removable, digests_of
from rescue.apply.initramfs import mkinitramfs_argv
from rescue.errors import BusyError
from rescue.model.boot.firmware import GrubPlatform
from rescue.model.mirror.identifiers import DeviceNames, DevicePair, IdentifierMap
from rescue.model.mirror.record import DiskRef, FilesystemPair, MirrorRecord
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.place import OnPartition
from rescue.system.boot import grub
from rescue.system.files import atomic
from rescue.system.process.lock import only_one_run
from rescue.text.mdadm_conf import ALONE

OLD = "11111111-1111-4111-8111-111111111111"
NEW = "22222222-2222-4222-8222-222222222222"
MAP = IdentifierMap(
    pairs=(
        DevicePair(old=DeviceNames(uuid=OLD, label="old"), new=DeviceNames(uuid=NEW, label="new1")),
    )
)

ARRAY = "1f2e3d4c:5b6a7988:97a6b5c4:d3e2f101"
ON_RAID = IdentifierMap(
    pairs=(DevicePair(old=DeviceNames(uuid=OLD, array=ARRAY), new=DeviceNames(uuid=NEW)),)
)


def record(*points: tuple[str, FsKind], digest: str = "") -> MirrorRecord:
    disk = DiskRef(id=DiskId(serial="X"), table_uuid="")
    return MirrorRecord(
        name="m",
        host="h",
        machine_id="1",
        source=disk,
        mirror=disk,
        filesystems=tuple(
            FilesystemPair(
                mount_point=point,
                kind=kind,
                place=OnPartition(number=1),
                source_uuid="",
                mirror_uuid="",
                mirror_partuuid="",
            )
            for point, kind in points
        ),
        swaps=(),
        identifiers=MAP,
        platforms=(),
        grub_digest=digest,
    )


def test_bytes_that_are_no_text_stay() -> None:
    data = b"\xff\xfe root=UUID=" + OLD.encode() + b" \x00\xc3"
    assert translated(data, MAP, path="/boot/grub/grub.cfg") == data.replace(
        OLD.encode(), NEW.encode()
    )


def test_grub_environment_keeps_its_size() -> None:
    text = f"# GRUB Environment Block\nroot=LABEL=old\nsaved_entry=gnulinux-{OLD}\n"
    fresh = translated(text.encode().ljust(1024, b"#"), MAP, path="/boot/grub/grubenv")
    assert len(fresh) == 1024
    assert b"root=LABEL=new1\n" in fresh
    assert NEW.encode() in fresh
    assert fresh.rstrip(b"#").endswith(NEW.encode() + b"\n")


def test_fstab_is_translated_as_one() -> None:
    line = f"UUID={OLD} / ext4 defaults 0 1 # was LABEL=old\n"
    assert translated(line.encode(), MAP, path="/etc/fstab") == line.replace(OLD, NEW).encode()


def test_globs_stay_in_their_folder_and_follow_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "grub.d").mkdir(parents=True)
    (outside / "grub.d/secret.cfg").write_text("")
    root = tmp_path / "root"
    (root / "etc/grub.d/deeper").mkdir(parents=True)
    (root / "etc/grub.d/a.cfg").write_text("")
    (root / "etc/grub.d/link.cfg").symlink_to(outside / "grub.d/secret.cfg")
    (root / "etc/grub.d/deeper/b.cfg").write_text("")
    (root / "elsewhere").symlink_to(outside)
    assert list(matches(root, "/etc/grub.d/*")) == ["etc/grub.d/a.cfg", "etc/grub.d/link.cfg"]
    assert list(matches(root, "/etc/*/a.cfg")) == ["etc/grub.d/a.cfg"]
    assert list(matches(root, "/elsewhere/grub.d/*")) == []
    assert list(matches(root, "/etc/none/*")) == []
    assert list(matches(root, "/etc/grub.d/[a].cfg")) == ["etc/grub.d/a.cfg"]


def test_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    path.write_bytes(b"old")
    like = tmp_path / "like"
    like.write_bytes(b"x")
    like.chmod(0o640)
    os.utime(like, ns=(1, 1_000_000_000_123_456_789))
    atomic.write_atomic(path, b"new", like=like)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o7777 == 0o640
    assert path.stat().st_mtime_ns == 1_000_000_000_123_456_789
    assert atomic.same_metadata(like, path, owners=True)
    with pytest.raises(FileNotFoundError):
        atomic.write_atomic(path, b"newer", like=tmp_path / "missing")
    assert path.read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fstab", "like"]


def test_removable_path_starts_grub_and_never_the_fallback(tmp_path: Path) -> None:
    own, removable = tmp_path / "EFI/debian", tmp_path / "EFI/BOOT"
    own.mkdir(parents=True)
    removable.mkdir()
    for name in ("shimx64.efi", "grubx64.efi", "mmx64.efi", "fbx64.efi", "BOOTX64.CSV"):
        (own / name).write_text(name)
    (removable / "BOOTX64.EFI").write_text("shim")
    (removable / "fbx64.efi").write_text("fallback")
    complete_removable(tmp_path, distributor="debian")
    assert sorted(p.name for p in removable.iterdir()) == [
        "BOOTX64.EFI",
        "grubx64.efi",
        "mmx64.efi",
    ]


def test_grub_without_shim_is_left_as_grub_install_made_it(tmp_path: Path) -> None:
    (tmp_path / "EFI/debian").mkdir(parents=True)
    (tmp_path / "EFI/debian/grubx64.efi").write_text("grub")
    (tmp_path / "EFI/BOOT").mkdir()
    (tmp_path / "EFI/BOOT/BOOTX64.EFI").write_text("grub")
    complete_removable(tmp_path, distributor="debian")
    assert [p.name for p in (tmp_path / "EFI/BOOT").iterdir()] == ["BOOTX64.EFI"]


def test_digests_are_kept_for_each_platform(tmp_path: Path) -> None:
    assert digests_of(record(digest="i386-pc=aa x86_64-efi=bb")) == {
        "i386-pc": "aa",
        "x86_64-efi": "bb",
    }
    modules = tmp_path / "usr/lib/grub/i386-pc"
    modules.mkdir(parents=True)
    (modules / "normal.mod").write_text("1")
    before = grub.files_digest(GrubPlatform.I386_PC, root=tmp_path)
    (modules / "normal.mod").write_text("2")
    assert grub.files_digest(GrubPlatform.I386_PC, root=tmp_path) != before


def test_grub_and_initramfs_commands() -> None:
    tree = Path("/w/tree")
    assert grub.bios_argv(tree, "/dev/vdb") == [
        "grub-install",
        "--target=i386-pc",
        "--boot-directory=/w/tree/boot",
        "--recheck",
        "/dev/vdb",
    ]
    efi = grub.efi_argv(tree, esp="/boot/efi", distributor="debian")
    assert "--efi-directory=/w/tree/boot/efi" in efi
    assert {"--no-nvram", "--force-extra-removable", "--bootloader-id=debian"} <= set(efi)
    assert mkinitramfs_argv("6.1.0-1") == [
        "mkinitramfs",
        "-o",
        "/boot/initrd.img-6.1.0-1.new",
        "6.1.0-1",
    ]


def test_second_run_is_turned_away_and_the_first_lets_go(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with only_one_run(lock):
        with pytest.raises(BusyError) as caught, only_one_run(lock):
            pass
        assert int(caught.value.code) == 17
        assert str(os.getpid()) in caught.value.message
    with only_one_run(lock):
        pass


def test_two_stars_are_every_file_below_and_follow_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("")
    conf = tmp_path / "root/etc/conf.d"
    (conf / "deep/er").mkdir(parents=True)
    for name in ("a", "deep/b", "deep/er/c"):
        (conf / name).write_text("")
    (conf / "deep/way-out").symlink_to(outside)
    assert list(matches(tmp_path / "root", "/etc/conf.d/**")) == [
        f"etc/conf.d/{name}" for name in ("a", "deep/b", "deep/er/c", "deep/way-out")
    ]
    assert list(matches(tmp_path / "root", "/etc/none.d/**")) == []


def test_a_mirror_of_a_server_on_raid_starts_none_of_its_arrays() -> None:
    text = f"HOMEHOST <system>\nARRAY /dev/md1 UUID={ARRAY}\n"
    new = translated(text.encode(), ON_RAID, path="/etc/mdadm/mdadm.conf").decode()
    assert new == f"HOMEHOST <system>\n{ALONE}"
    more = translated(text.encode(), ON_RAID, path="/etc/mdadm/mdadm.conf.d/more.conf")
    assert ARRAY not in more.decode()


def test_a_mirror_of_another_server_keeps_its_arrays_of_data() -> None:
    text = f"HOMEHOST <system>\nARRAY /dev/md1 UUID={ARRAY}\n".encode()
    assert translated(text, IdentifierMap(), path="/etc/mdadm/mdadm.conf") == text
