"""`scripts/install-packages` while another apt or dpkg is at work: it waits, and says for what.

The locks are real, and so is apt-get; its folders are temporary ones, and its dpkg does nothing.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/install-packages"
PACKAGE = "rescue-test-of-nothing"
LOCKS = ("state/lists/lock", "dpkg/lock-frontend", "dpkg/lock", "cache/archives/lock")
LONGEST = 120  # seconds that a test waits for what must happen at once

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="without root the script asks sudo"),
    pytest.mark.skipif(
        not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="no apt here"
    ),
    pytest.mark.skipif(not Path("/proc/locks").exists(), reason="no /proc/locks here"),
]


@dataclass(frozen=True)
class Debian:
    """A Debian of its own: apt's folders, and an archive with one empty package."""

    folder: Path

    def start(self, *, patience: int = LONGEST) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(SCRIPT), PACKAGE],
            env={
                **os.environ,
                "APT_CONFIG": str(self.folder / "apt.conf"),
                "APT_PATIENCE": str(patience),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @contextmanager
    def held(self, lock: str) -> Iterator[None]:
        """Hold one of apt's locks as apt does: by fcntl, not flock."""
        with (self.folder / lock).open("w") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    @property
    def called(self) -> str:
        """What apt gave dpkg to do."""
        log = self.folder / "called"
        return log.read_text() if log.exists() else ""


@pytest.fixture(name="debian")
def debian_(tmp_path: Path) -> Debian:
    for folder in ("state/lists/partial", "cache/archives/partial", "dpkg", "archive", "etc"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dpkg/status").touch()
    (tmp_path / "etc/sources.list").write_text(f"deb [trusted=yes] file:{tmp_path}/archive ./\n")
    dpkg = tmp_path / "no-dpkg"
    dpkg.write_text(
        f'#!/bin/sh\n[ "$1" = --print-foreign-architectures ] || echo "$*" >> {tmp_path}/called\n'
    )
    dpkg.chmod(0o755)
    (tmp_path / "apt.conf").write_text(
        f"""
        Dir::State "{tmp_path}/state";
        Dir::State::status "{tmp_path}/dpkg/status";
        Dir::Cache "{tmp_path}/cache";
        Dir::Etc::sourcelist "{tmp_path}/etc/sources.list";
        Dir::Etc::sourceparts "/dev/null";
        Dir::Log "{tmp_path}";
        Dir::Bin::dpkg "{dpkg}";
        APT::Sandbox::User "root";
        DPkg::Post-Invoke {{}};
        """
    )
    _make_archive(tmp_path)
    return Debian(tmp_path)


def _make_archive(folder: Path) -> None:
    control = folder / "package/DEBIAN/control"
    control.parent.mkdir(parents=True)
    fields = (
        f"Package: {PACKAGE}\nVersion: 1\nArchitecture: all\n"
        "Maintainer: nobody <nobody@rescue.invalid>\nDescription: nothing\n"
    )
    control.write_text(fields)
    deb = folder / "archive/nothing.deb"
    build = ["dpkg-deb", "--build", "--root-owner-group", str(folder / "package"), str(deb)]
    subprocess.run(build, check=True, capture_output=True)
    packages, release = folder / "archive/Packages", folder / "archive/Release"
    packages.write_text(
        f"{fields}Filename: ./nothing.deb\nSize: {deb.stat().st_size}\nSHA256: {_sha256(deb)}\n"
    )
    entry = f"{_sha256(packages)} {packages.stat().st_size} Packages"
    release.write_text(f"Date: Thu, 26 Nov 2026 00:00:00 UTC\nSHA256:\n {entry}\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_installs_what_is_missing(debian: Debian) -> None:
    with debian.start() as process:
        said = process.communicate(timeout=LONGEST)[0]
    assert process.returncode == 0, said
    assert "--unpack" in debian.called
    assert "waiting" not in said


@pytest.mark.parametrize("lock", LOCKS)
def test_it_waits_for_whoever_holds_a_lock_and_names_it(debian: Debian, lock: str) -> None:
    with debian.held(lock):
        process = debian.start()
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        waits = next((line for line in lines if "waiting" in line), "")
        assert f"process {os.getpid()}" in waits
        assert str(debian.folder / lock) in waits
        assert Path("/proc/self/comm").read_text().strip() in waits
        assert process.poll() is None
        assert debian.called == ""
    rest = process.communicate(timeout=LONGEST)[0]
    assert process.returncode == 0, rest
    assert "--unpack" in debian.called


def test_it_does_not_wait_for_ever(debian: Debian) -> None:
    with debian.held("dpkg/lock-frontend"), debian.start(patience=1) as process:
        said = process.communicate(timeout=LONGEST)[0]
    assert process.returncode == 1
    assert "still" in said
    assert debian.called == ""
