"""The rescue system's recipe: what is put into it, and the commands that make it."""

import subprocess
import sys
import tarfile
from importlib import metadata
from io import BytesIO
from pathlib import Path

import pytest

from rescue.commands.media import _public_keys
from rescue.errors import UsageError
from rescue.medium import live
from rescue.medium.recipe import recipe_folder
from rescue.medium.toolkit import distribution_files, toolkit_files
from rescue.system import livesystem

SCRIPTS = sorted(
    path
    for path in recipe_folder().rglob("*")
    if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh")
)


def test_the_toolkit_stands_alone(tmp_path: Path) -> None:
    for place, path in toolkit_files().items():
        target = tmp_path / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    # -S leaves this environment's own modules out: only what was copied is there.
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
    code += "import rescue.ui.prompt, rescue.codec, rescue.config, rescue.system.udev, click, rich;"
    # Those that are only imported when they are needed.
    code += "import questionary, tomli_w, cattrs, rich.console, rich.progress, pyudev;"
    code += "import rescue.recovery, rescue.medium.recipe as r; print(rescue.__file__)"
    argv = [sys.executable, "-S", "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith(str(tmp_path))
    assert (tmp_path / "rescue/templates/recovery.txt").is_file()
    assert not list(tmp_path.rglob("*.so"))
    assert not list(tmp_path.rglob("*.pyc"))


def test_modules_without_a_list_are_found_by_their_names(tmp_path: Path) -> None:
    """As Debian's packages of the older kind install them."""
    info = "some_thing-1.0.egg-info"
    for place in ("thing/__init__.py", "thing/part/x.py", "thing/fast.so", "other.py", "lone.py"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    (tmp_path / info).mkdir()
    (tmp_path / info / "PKG-INFO").write_text("Name: some-thing\nVersion: 1.0\n")
    (tmp_path / info / "top_level.txt").write_text("thing\nlone\n")
    (distribution,) = metadata.distributions(path=[str(tmp_path)])
    assert sorted(distribution_files(distribution)) == [
        "lone.py",
        f"{info}/PKG-INFO",
        f"{info}/top_level.txt",
        "thing/__init__.py",
        "thing/part/x.py",
    ]


def test_the_overlay_is_the_same_every_time_and_belongs_to_root() -> None:
    data = live._overlay(1775000000)
    assert data == live._overlay(1775000000)
    with tarfile.open(fileobj=BytesIO(data)) as tar:
        entries = {entry.name: entry for entry in tar}
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries.values()} == {
        (0, 0, 1775000000)
    }
    assert entries["usr/local/sbin/rescue"].mode == 0o755
    assert entries["etc/profile.d/rescue-mode.sh"].mode == 0o644
    assert "usr/lib/rescue/rescue/cli/main.py" in entries


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_each_script_is_one_that_sh_can_read(script: Path) -> None:
    done = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_packages_are_names_only() -> None:
    packages = live._packages()
    assert {"linux-image-amd64", "live-boot", "python3-parted", "rsync"} <= set(packages)
    assert all(name.replace("-", "").isalnum() for name in packages)


def test_mmdebstrap_gets_kernel_and_initramfs_out_of_the_tree() -> None:
    argv = livesystem.tree_argv(
        suite="bookworm",
        packages=["live-boot", "rsync"],
        overlay=Path("/w/overlay.tar"),
        output=Path("/w/live"),
        tree=Path("/w/tree.tar"),
    )
    assert argv[:2] == ["mmdebstrap", "--variant=minbase"]
    assert "--include=live-boot,rsync" in argv
    assert argv[-2:] == ["bookworm", "/w/tree.tar"]
    hooks = [each.split("=", 1)[1] for each in argv if each.startswith("--customize-hook")]
    assert hooks == [
        "tar-in /w/overlay.tar /",
        'chroot "$1" sh /customize.sh',
        "download /boot/vmlinuz /w/live/vmlinuz",
        "download /boot/initrd.img /w/live/initrd.img",
        'rm "$1/customize.sh" "$1/boot/vmlinuz" "$1/boot/initrd.img"',
    ]


def test_the_squashfs_is_made_of_the_archive_with_a_given_time() -> None:
    argv = livesystem.squash_argv(Path("/w/fs.squashfs"), time=7)
    assert argv[:4] == ["mksquashfs", "-", "/w/fs.squashfs", "-tar"]
    assert argv[-2:] == ["-mkfs-time", "7"]


@pytest.mark.parametrize("text", ["-----BEGIN OPENSSH PRIVATE KEY-----\n", "", " \n"])
def test_a_private_key_never_goes_onto_a_medium(text: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(text)
    with pytest.raises(UsageError, match="holds no public key"):
        _public_keys(key)
    key.write_text("ssh-ed25519 AAAA someone\n")
    assert _public_keys(key) == b"ssh-ed25519 AAAA someone\n"
