"""The medium's image, made with the real tools and judged by others."""

import json
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.medium.build import Contents, build_image
from rescue.medium.recipe import recipe_folder
from rescue.model.medium import BOOT_PART, MEDIUM_TABLE
from rescue.text.grub_env import parse_environment
from rescue.units import MIB
from tests.lab.stock import build_wheel

PAPERS = {"recovery.txt": b"disk SRC0001\n", "recovery.html": b"<h1>server</h1>\n"}


def shell(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("medium") / "rescue.img"
    build_image(path, Contents(host="server", recovery_files=PAPERS))
    return path


def at(image: Path) -> str:
    return f"{image}@@{BOOT_PART.start * 512}"


def test_it_is_small_and_its_table_is_read_by_sfdisk(image: Path) -> None:
    assert image.stat().st_size < 32 * MIB
    table = json.loads(shell("sfdisk", "--json", str(image)))["partitiontable"]
    assert (table["label"], table["id"]) == ("dos", f"0x{MEDIUM_TABLE}")
    assert [(part["type"], part["bootable"]) for part in table["partitions"]] == [("ef", True)]


def test_its_file_system_is_sound(image: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(image.read_bytes()[BOOT_PART.start * 512 :])
    shell("fsck.vfat", "-n", str(part))
    shown = shell("blkid", "--probe", "--output", "export", str(part))
    assert "LABEL=RESCUE-BOOT\n" in shown
    assert f"UUID={told_by(image)['medium_boot_uuid']}\n" in shown


def told_by(image: Path) -> dict[str, str]:
    """Return what a medium says of itself to its menu."""
    shown = shell("mtype", "-i", at(image), "::/rescue/medium.env")
    return parse_environment(shown)


def test_a_medium_has_ids_of_its_own(image: Path, tmp_path: Path) -> None:
    """A label, and an id that all have, can be put on any disk."""
    other = Contents(
        host="server", recovery_files={**PAPERS, "rescue/authorized_keys": b"ssh-ed25519 A\n"}
    )
    build_image(tmp_path / "other.img", replace(other, machine="0123"))
    mine, other_s = told_by(image), told_by(tmp_path / "other.img")
    assert mine["medium_boot_uuid"] != other_s["medium_boot_uuid"]
    assert (mine["medium_machine"], other_s["medium_machine"]) == ("", "0123")
    assert mine["medium_live_uuid"] == ""


def test_every_loader_and_paper_lies_at_its_place(image: Path) -> None:
    listed = shell("mdir", "-/", "-b", "-i", at(image), "::").replace("::/", "").splitlines()
    wanted = {"boot/grub/grub.cfg", "EFI/BOOT/BOOTX64.EFI", "rescue/medium.json", *PAPERS}
    wanted |= {"boot/grub/i386-pc/regexp.mod", "boot/grub/x86_64-efi/regexp.mod"}
    assert wanted <= set(listed)
    assert shell("mtype", "-i", at(image), "::/recovery.txt") == "disk SRC0001\n"
    note = json.loads(shell("mtype", "-i", at(image), "::/rescue/medium.json"))
    assert (note["role"], note["host"]) == ("medium", "server")
    assert "grub-pc-bin" in dict(note["versions"])


def test_grub_reads_its_own_menu(image: Path, tmp_path: Path) -> None:
    menu = tmp_path / "grub.cfg"
    menu.write_text(shell("mtype", "-i", at(image), "::/boot/grub/grub.cfg"))
    shell("grub-script-check", str(menu))


def test_the_boot_code_is_grubs_and_spares_the_table(image: Path) -> None:
    head = image.read_bytes()[:1024]
    assert b"GRUB" in head[:440]
    assert head[440:444] == bytes.fromhex(MEDIUM_TABLE)[::-1]
    assert head[510:512] == b"\x55\xaa"
    assert b"loading" in head[512:]


def test_two_builds_are_equal_to_the_last_byte(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.sleep(2.1)  # vfat counts in two seconds
    os.umask(os.umask(0o077))
    second = build_image(tmp_path / "second.img", Contents(host="server", recovery_files=PAPERS))
    assert (tmp_path / "second.img").read_bytes() == image.read_bytes()
    assert second.size == image.stat().st_size
    digest = shell("sha256sum", str(image)).split()[0]
    assert second.sha256 == digest


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(FileNotFoundError):
        build_image(tmp_path / "rescue.img", Contents(live=gone))
    assert list(tmp_path.iterdir()) == []


def test_a_rescue_system_lies_on_a_second_partition(tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    system = {"vmlinuz": 5, "initrd.img": 7, "filesystem.squashfs": 44}
    for name, size in system.items():
        (live / name).write_bytes(name.encode() * (size * MIB // len(name)))
    for name in ("one.img", "two.img"):
        build_image(tmp_path / name, Contents(live=live))
    image = tmp_path / "one.img"
    assert image.read_bytes() == (tmp_path / "two.img").read_bytes()
    table = json.loads(shell("sfdisk", "--json", str(image)))["partitiontable"]
    second = table["partitions"][1]
    assert second["type"] == "c"
    part = tmp_path / "part"
    part.write_bytes(image.read_bytes()[second["start"] * 512 :])
    shell("fsck.vfat", "-n", str(part))
    shown = shell("blkid", "--probe", "--output", "export", str(part))
    assert "LABEL=RESCUE-LIVE\n" in shown
    assert f"UUID={told_by(image)['medium_live_uuid']}\n" in shown
    for name in system:
        shell("mcopy", "-n", "-i", str(part), f"::/live/{name}", str(tmp_path))
        assert (tmp_path / name).read_bytes() == (live / name).read_bytes()


def test_the_installed_package_carries_menu_and_recipe(tmp_path: Path) -> None:
    wheel = build_wheel(Path(__file__).parents[2], tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    folder = recipe_folder()
    recipe = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"grub.cfg", "packages.txt", "customize.sh"} <= recipe
    assert {f"rescue/bootmedia/{name}" for name in recipe} <= names


def rescue(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", "from rescue.cli.main import main; main()", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_the_command_makes_a_new_file_and_never_replaces_one(tmp_path: Path) -> None:
    target = tmp_path / "rescue.img"
    done = rescue("media", "image", str(target))
    assert done.returncode == 0, done.stderr
    assert "29.0 MiB, SHA-256" in done.stdout
    before = target.read_bytes()
    again = rescue("media", "image", str(target))
    assert (again.returncode, target.read_bytes()) == (2, before)
    assert "already exists" in again.stderr


def test_the_command_names_no_disk_and_no_medium_as_what_they_are(tmp_path: Path) -> None:
    other = tmp_path / "other.img"
    other.write_bytes(bytes(MIB))
    assert "there is no disk" in rescue("media", "write", str(other)).stderr
    both = rescue("media", "write", "x", "--image", str(other), "--with-rescue-system")
    assert both.returncode == 2
    assert rescue("media", "write", "x", "--yes").returncode == 2
