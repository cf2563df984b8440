"""The Debian package: built, judged by lintian, and taken on and off in clean Debian systems.

Those clean systems are trees that mmdebstrap makes, entered with chroot in a mount namespace of
their own: what a package does needs no virtual machine, and what rescue does to disks is tried in
`tests/guest`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import rescue
from rescue.schedule.plan import MARK, PATHS
from scripts.example import example

CHECKOUT = Path(__file__).parents[2]
NEEDED = ("dpkg-buildpackage", "dh_python3", "lintian", "scdoc")
MISSING = [tool for tool in NEEDED if not shutil.which(tool, path="/usr/bin:/bin")]

# What differs in every system, and what others write of a package that comes and goes.
IGNORED = {
    *("/proc", "/sys", "/dev", "/run", "/tmp", "/pkg", "/etc/resolv.conf"),
    *("/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg"),
}

SCHEDULED = f"{MARK} (see 'rescue schedule show')\n"
FOREIGN = "# Written by somebody else\n"
METRICS = "/var/lib/prometheus"
SETTINGS = example().replace('metrics = ""', f'metrics = "{METRICS}"')

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@dataclass(frozen=True, kw_only=True)
class Built:
    """A package, and what its build said."""

    path: Path
    said: str


@pytest.fixture(scope="module")
def package() -> Built:
    """Build it as `make deb` does."""
    done = subprocess.run(
        [CHECKOUT / "scripts/build-deb", sys.executable],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return Built(path=CHECKOUT / f"build/rescue_{rescue.__version__}_all.deb", said=done.stdout)


def test_the_versions_are_one() -> None:
    changelog = (CHECKOUT / "scripts/debian/changelog").read_text()
    assert changelog.startswith(f"rescue ({rescue.__version__}) ")


def test_lintian_finds_nothing_that_is_not_explained(package: Built) -> None:
    assert re.findall(r"^[EWIPX]: rescue.*", package.said, re.MULTILINE) == []
    overrides = (CHECKOUT / "scripts/debian/rescue.lintian-overrides").read_text()
    for before, line in zip(["", *overrides.splitlines()], overrides.splitlines(), strict=False):
        assert line.startswith("#") or before.startswith("#"), f"not explained: {line}"


def test_it_carries_what_debian_lacks_and_nothing_compiled(package: Built) -> None:
    listed = subprocess.run(
        ["dpkg-deb", "--contents", package.path], capture_output=True, text=True, check=True
    ).stdout
    for module in ("questionary", "cattrs", "attrs", "rescue/bootmedia/grub.cfg"):
        assert f"./usr/share/rescue/{module}" in listed
    assert not re.search(r"\.(so|pyc)$", listed, re.MULTILINE)
    assert "./usr/lib/" not in listed


@dataclass(frozen=True)
class Tree:
    """A clean Debian system, entered with chroot."""

    root: Path

    def run(self, command: str, *, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command in it, with /proc, /sys and /dev that go when it ends."""
        inside = (
            f"mount -t proc proc {self.root}/proc && mount --rbind /sys {self.root}/sys && "
            f'mount --rbind /dev {self.root}/dev && exec chroot {self.root} sh -ec "$1"'
        )
        done = subprocess.run(
            [
                "unshare",
                "--mount",
                "--fork",
                "--propagation=private",
                "sh",
                "-c",
                inside,
                "-",
                command,
            ],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
            | {"DEBIAN_FRONTEND": "noninteractive", "MANWIDTH": "80"},
            timeout=900,
        )
        assert done.returncode == 0 or not check, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def write(self, path: str, text: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def has(self, path: str) -> bool:
        return os.path.lexists(self.root / path.lstrip("/"))

    def files(self) -> set[str]:
        """Return every path that a package could have left."""
        found = set()
        for folder, folders, names in os.walk(self.root):
            inside = os.path.normpath(f"/{os.path.relpath(folder, self.root)}")
            folders[:] = [
                each
                for each in folders
                if each != "__pycache__" and os.path.join(inside, each) not in IGNORED
            ]
            found |= {os.path.join(inside, each) for each in (*folders, *names)}
        return found - IGNORED


@pytest.fixture(params=["bookworm", "trixie"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tree]:
    root = tmp_path / request.param
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=apt", request.param, root],
        check=True,
        capture_output=True,
        timeout=900,
    )
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "pkg").mkdir()
    yield Tree(root)
    shutil.rmtree(root)


@pytest.mark.long
@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: chroot")
@pytest.mark.skipif(not shutil.which("mmdebstrap"), reason="mmdebstrap is not installed")
def test_it_comes_runs_is_upgraded_and_goes(package: Built, tree: Tree) -> None:
    shutil.copy(package.path, tree.root / "pkg/rescue.deb")
    what_it_depends_on_is_there(tree, package)
    before = tree.files()

    tree.run("apt-get install -q -y --no-install-recommends /pkg/rescue.deb")
    it_runs(tree)
    its_toolkit_can_go_onto_a_medium(tree)

    it_has_been_used(tree)
    an_upgrade_keeps_the_configuration(tree)
    tree.run("apt-get remove -q -y rescue")
    assert not any(tree.has(path) for path in PATHS)
    assert tree.read("/etc/cron.daily/other") == FOREIGN
    assert tree.read("/etc/rescue/rescue.toml") == SETTINGS
    assert tree.has("/var/lib/rescue/mirrors/attic.json")

    it_has_been_used(tree)  # as if prerm had not been able to take the schedule away
    tree.write("/.rescue/mirror.json", "{}\n")
    tree.run("apt-get purge -q -y rescue")
    shutil.rmtree(tree.root / "etc/systemd/system/rescue-mirror.service.d")
    left = tree.files() - before
    assert left == {
        *("/etc/cron.daily/other", METRICS, f"{METRICS}/other.prom"),
        *("/.rescue", "/.rescue/mirror.json"),
    }
    assert before <= tree.files()


def what_it_depends_on_is_there(tree: Tree, package: Built) -> None:
    fields = ["dpkg-deb", "--field", str(package.path), "Depends"]
    depends = subprocess.run(fields, capture_output=True, text=True, check=True).stdout.strip()
    tree.run("apt-get update -q")
    tree.run(f'apt-get satisfy -q -y --no-install-recommends "{depends}, man-db"')


def it_runs(tree: Tree) -> None:
    assert tree.run("rescue --version").stdout.split() == [
        "rescue,",
        "version",
        rescue.__version__,
    ]
    assert "disks" in json.loads(tree.run("rescue disks --json").stdout)
    nothing_enrolled = tree.run("rescue status", check=False)
    assert (nothing_enrolled.returncode, nothing_enrolled.stderr) == (2, "")
    assert "rescue prepare DISK" in nothing_enrolled.stdout
    for page in ("rescue", "rescue.toml"):
        shown = tree.run(f"man --warnings {page}")
        assert (shown.stderr, "NAME" in shown.stdout) == ("", True)
    tree.write("/pkg/every_module.py", EVERY_MODULE)
    tree.run("python3 -I -W error /pkg/every_module.py")


EVERY_MODULE = """
import sys
sys.path.insert(0, "/usr/share/rescue")
import importlib, pkgutil, questionary, rescue
for module in pkgutil.walk_packages(rescue.__path__, "rescue."):
    importlib.import_module(module.name)
assert questionary.__file__.startswith("/usr/share/rescue/")
"""


def its_toolkit_can_go_onto_a_medium(tree: Tree) -> None:
    """The rescue system gets rescue's modules from here, with all that Debian's packages gave."""
    tree.write("/pkg/copy_toolkit.py", COPY_TOOLKIT)
    tree.write("/pkg/use_toolkit.py", USE_TOOLKIT)
    tree.run("python3 -I /pkg/copy_toolkit.py && python3 -I -S /pkg/use_toolkit.py")


COPY_TOOLKIT = """
import sys
sys.path.insert(0, "/usr/share/rescue")
from pathlib import Path
from rescue.medium.toolkit import toolkit_files
for name, path in toolkit_files().items():
    place = Path("/pkg/alone") / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(path.read_bytes())
"""
USE_TOOLKIT = """
import sys
sys.path.insert(0, "/pkg/alone")
import cattrs, click, pyudev, questionary, rich.progress, tomli_w
import rescue.cli.options, rescue.store.config, rescue.ui.prompt
"""


def it_has_been_used(tree: Tree) -> None:
    """With all that rescue writes, and what an administrator has put beside it."""
    tree.write("/etc/rescue/rescue.toml", SETTINGS)
    tree.write("/var/lib/rescue/mirrors/attic.json", "{}\n")
    tree.write("/var/backups/rescue/postgresql.sql", "")
    tree.write(f"{METRICS}/rescue.prom", "")
    tree.write(f"{METRICS}/other.prom", FOREIGN)
    for path in PATHS:
        tree.write(path, SCHEDULED)
    tree.write("/etc/cron.daily/other", FOREIGN)
    tree.write("/etc/systemd/system/rescue-mirror.service.d/override.conf", "[Service]\nNice=5\n")


def an_upgrade_keeps_the_configuration(tree: Tree) -> None:
    tree.run(
        "dpkg-deb -R /pkg/rescue.deb /pkg/next && "
        "sed -i 's/^Version: .*/&+1/' /pkg/next/DEBIAN/control && "
        "dpkg-deb -b /pkg/next /pkg/next.deb && rm -r /pkg/next && "
        "apt-get install -q -y --no-install-recommends /pkg/next.deb"
    )
    assert "+1" in tree.run("dpkg-query -W rescue").stdout
    assert tree.read("/etc/rescue/rescue.toml") == SETTINGS
    assert all(tree.has(path) for path in PATHS)
