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
from rescue.system.boot import live_system

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
    code += "import rescue.ui.prompt, rescue.store.codec, rescue.store.config; "
    code += "import rescue.system.block.udev, click, rich;"
    # Those that are only imported when they are needed.
    code += "import questionary, tomli_w, cattrs, rich.console, rich.progress, pyudev;"
    code += "import rescue.ui.recovery_page, rescue.medium.recipe as r; print(rescue.__file__)"
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


def started(folder: Path, command_line: str, *devices: str) -> subprocess.CompletedProcess[str]:
    """Run rescue-medium with these devices that carry the id it asks for; nothing is mounted."""
    (folder / "cmdline").write_text(command_line)
    (folder / "devices").write_text("".join(f"{each}\n" for each in devices))
    for name, text in (
        ("blkid", "echo $6 >asked; cat devices"),
        ("mount", 'echo "$@" >mounted'),
        ("mkdir", ":"),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    text = (recipe_folder() / "overlay/usr/local/sbin/rescue-medium").read_text()
    text = text.replace("/proc/cmdline", str(folder / "cmdline"))
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    argv = ["/bin/sh", "-c", text]
    return subprocess.run(
        argv, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


LINE = "BOOT_IMAGE=(hd0,msdos2)/live/vmlinuz boot=live rescue.medium={} console=tty0 quiet\n"


def test_the_stick_is_the_one_that_was_started(tmp_path: Path) -> None:
    done = started(tmp_path, LINE.format("1A2B-3C4D"), "/dev/sdb1")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "asked").read_text() == "UUID=1A2B-3C4D\n"
    options, device = (tmp_path / "mounted").read_text().split()[3:5]
    assert {"ro", "nodev", "nosuid", "noexec", "nosymfollow"} == set(options.split(","))
    assert device == "/dev/sdb1"


@pytest.mark.parametrize(
    ("line", "devices", "said"),
    [
        (LINE.format("1A2B-3C4D"), (), "is not there any more"),
        (LINE.format("1A2B-3C4D"), ("/dev/sdb1", "/dev/sdc1"), "several disks say"),
        (LINE.format(""), ("/dev/sdb1",), "did not name its stick"),
        ("boot=live quiet\n", ("/dev/sdb1",), "did not name its stick"),
    ],
)
def test_no_other_disk_is_taken_for_it(
    tmp_path: Path, line: str, devices: tuple[str, ...], said: str
) -> None:
    """A second one that calls itself RESCUE-BOOT would bring keys of its own."""
    done = started(tmp_path, line, *devices)
    assert (done.returncode, said in done.stderr) == (1, True)
    assert not (tmp_path / "mounted").exists()


def test_nothing_is_looked_for_by_a_label() -> None:
    files = [path for path in recipe_folder().rglob("*") if path.is_file()]
    assert not [path.name for path in files if b"by-label" in path.read_bytes()]


def test_the_packages_are_names_only() -> None:
    packages = live._packages()
    assert {"linux-image-amd64", "live-boot", "python3-parted", "rsync"} <= set(packages)
    assert all(name.replace("-", "").isalnum() for name in packages)


def test_mmdebstrap_gets_kernel_and_initramfs_out_of_the_tree() -> None:
    argv = live_system.tree_argv(
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
    argv = live_system.squash_argv(Path("/w/fs.squashfs"), time=7)
    assert argv[:4] == ["mksquashfs", "-", "/w/fs.squashfs", "-tar"]
    assert argv[-2:] == ["-mkfs-time", "7"]


@pytest.mark.parametrize("text", ["-----BEGIN OPENSSH PRIVATE KEY-----\n", "", " \n"])
def test_a_private_key_never_goes_onto_a_medium(text: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(text)
    with pytest.raises(UsageError, match="contains no public key"):
        _public_keys(key)
    key.write_text("ssh-ed25519 AAAA someone\n")
    assert _public_keys(key) == b"ssh-ed25519 AAAA someone\n"
