"""Settings in sub-folders and behind links are on the mirror, translated; links stay links."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.bootset import carry_out, fill_boot, night
from tests.image.loopdisks import DiskPair, disk_pair, tree_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

FOLDERS = (
    "etc/default/grub.d/site/deep",
    "etc/grub.d/backup",
    "etc/initramfs-tools/conf.d/old",
    "etc/dracut.conf.d/site",
    "etc/systemd/system/srv-data.mount.d",
)
OWN = (
    ".rescue",
    "etc/fstab",
    "boot/grub/grub.cfg",
    "boot/initrd.img-6.1.0-1",
    "boot/vmlinuz-6.1.0-1",
    "etc/initramfs-tools/conf.d/resume",
    "etc/systemd/system/rescue-booted.service",
    "etc/systemd/system/multi-user.target.wants",
)


@pytest.fixture(name="pair")
def pair_(tmp_path: Path) -> Iterator[DiskPair]:
    with disk_pair(tmp_path) as made:
        fill_boot(made)
        yield made


def names_source(pair: DiskPair) -> str:
    return f"What=/dev/disk/by-uuid/{pair.record.root.source_uuid}\n"


def names_mirror(pair: DiskPair) -> str:
    return f"What=/dev/disk/by-uuid/{pair.record.root.mirror_uuid}\n"


def test_sub_folders_of_settings_are_there_and_translated(pair: DiskPair) -> None:
    for folder in FOLDERS:
        (pair.root / folder).mkdir(parents=True)
        (pair.root / folder / "one.conf").write_text(names_source(pair))
        (pair.root / folder).chmod(0o750)
    (pair.root / "etc/grub.d/06_custom").write_text(names_source(pair))
    carry_out(pair, night(pair, first=True))
    with pair.mirror_seen() as mirror:
        for name in (*(f"{folder}/one.conf" for folder in FOLDERS), "etc/grub.d/06_custom"):
            assert (mirror / name).read_text() == names_mirror(pair), name
        for folder in FOLDERS:
            assert (mirror / folder).stat().st_mode == (pair.root / folder).stat().st_mode

    shutil.rmtree(pair.root / "etc/default/grub.d/site")
    (pair.root / "etc/default/grub.d/site").write_text("a file now")
    shutil.rmtree(pair.root / "etc/grub.d/backup")
    (pair.root / "etc/grub.d/06_custom").unlink()
    (pair.root / "etc/grub.d/06_custom").mkdir()
    carry_out(pair, night(pair))
    with pair.mirror_seen() as mirror:
        ours = (*OWN, *(f"{folder}/one.conf" for folder in FOLDERS))
        assert tree_of(mirror, ours) == tree_of(pair.root, ours)
        assert (mirror / "etc/default/grub.d/site").read_text() == "a file now"


def test_what_links_lead_to_is_translated_and_links_stay_links(pair: DiskPair) -> None:
    config = pair.root / "srv/config"
    (config / "grub.d").mkdir(parents=True)
    (pair.root / "etc/fstab").rename(config / "fstab")
    (pair.root / "etc/fstab").symlink_to("../srv/config/fstab")
    shutil.rmtree(pair.root / "etc/default/grub.d")
    (pair.root / "etc/default/grub.d").symlink_to("/srv/config/grub.d")
    (config / "grub.d/a.cfg").write_text(names_source(pair))
    (pair.root / "etc/systemd/system/srv.mount").symlink_to("/dev/null")
    carry_out(pair, night(pair, first=True))
    # A label with a blank is fstab's own way to spell it; the comparison must not call it rot.
    for checksum in (False, True):
        carry_out(pair, night(pair, checksum=checksum))
        with pair.mirror_seen() as mirror:
            assert os.readlink(mirror / "etc/fstab") == "../srv/config/fstab"
            assert os.readlink(mirror / "etc/default/grub.d") == "/srv/config/grub.d"
            assert os.readlink(mirror / "etc/systemd/system/srv.mount") == "/dev/null"
            fstab = (mirror / "srv/config/fstab").read_text()
            assert pair.record.root.mirror_uuid in fstab
            assert pair.record.root.source_uuid not in fstab
            assert (mirror / "srv/config/grub.d/a.cfg").read_text() == names_mirror(pair)


def test_a_file_that_no_link_leads_to_any_more_is_a_file_like_others(pair: DiskPair) -> None:
    (pair.root / "srv").mkdir()
    (pair.root / "etc/fstab").rename(pair.root / "srv/fstab")
    (pair.root / "etc/fstab").symlink_to("/srv/fstab")
    carry_out(pair, night(pair, first=True))
    (pair.root / "etc/fstab").unlink()
    shutil.copy(pair.root / "srv/fstab", pair.root / "etc/fstab")
    (pair.root / "srv/fstab").unlink()
    carry_out(pair, night(pair))
    with pair.mirror_seen() as mirror:
        assert pair.record.root.mirror_uuid in (mirror / "etc/fstab").read_text()
        assert not (mirror / "etc/fstab").is_symlink()
        assert not (mirror / "srv/fstab").exists()
