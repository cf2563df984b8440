"""A program that others may change is scheduled on no machine: they would be root every night."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import rescue
from rescue.errors import ExitCode
from rescue.system.files import ownership
from rescue.system.files.ownership import weak_spot_below

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of other users"),
]

ANNA = pwd.getpwnam("nobody").pw_uid
# What is refused of the program; the configuration is nowhere: nothing can be scheduled.
INSTALL = """
import json, sys
from pathlib import Path
from rescue.store import config
from rescue.commands import schedule
from rescue.errors import RescueError
from rescue.system.process import run
from rescue.ui.screen import Screen

run.PATH = f"{sys.argv[1]}:{run.PATH}"
config.load.__defaults__ = (Path(sys.argv[1]) / "none",)
try:
    schedule.install(schedule.InstallOptions(), Screen())
except RescueError as error:
    refusals = getattr(error, "refusals", ())
    print(json.dumps([error.code, [[each.reason, each.hint] for each in refusals]]))
"""


@dataclass(frozen=True, kw_only=True)
class Program:
    """An installation of its own: a Python, packages, and what starts it."""

    top: Path

    @property
    def packages(self) -> Path:
        return self.top / "packages"

    @property
    def command(self) -> Path:
        return self.top / "bin/rescue"

    def refused(self) -> tuple[int, dict[str, str]]:
        """Ask for a schedule; return its exit code, and what is to be done for which reason."""
        argv = [str(self.top / "bin/python"), "-c", INSTALL, str(self.command.parent)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd="/")
        code, refusals = json.loads(done.stdout.splitlines()[-1])
        return code, {why: hint for why, hint in refusals if str(self.top) in why}


@pytest.fixture(name="program", scope="module")
def program_() -> Iterator[Program]:
    with TemporaryDirectory(prefix="rescue-test-") as folder:
        top = Path(folder)
        top.chmod(0o755)
        program = Program(top=top)
        (top / "bin").mkdir()
        shutil.copy(Path(sys.executable).resolve(), top / "bin/python")
        (top / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
        site = top / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
        site.mkdir(parents=True)
        others = sysconfig.get_path("purelib")
        (site / "ours.pth").write_text(f"{program.packages}\n{others}\n")
        shutil.copytree(Path(rescue.__file__).parent, program.packages / "rescue")
        for name in ("cattrs", "cattr", "attr", "attrs"):
            if (there := Path(others) / name).exists():
                shutil.copytree(there, program.packages / name)
        program.command.write_text("#!/bin/sh\n")
        program.command.chmod(0o755)
        yield program


def test_a_program_that_is_roots_alone_is_not_refused(program: Program) -> None:
    code, refused = program.refused()
    assert refused == {}
    assert code in (ExitCode.USAGE, ExitCode.REFUSED)


HARMFUL: dict[str, tuple[str, Callable[[Path], None]]] = {
    "what starts it": ("bin/rescue", lambda path: path.chmod(0o757)),
    "its folder": ("bin", lambda path: path.chmod(0o777)),
    "its Python": ("bin/python", lambda path: os.chown(path, ANNA, 0)),
    "a folder that Python takes code from": ("packages", lambda path: path.chmod(0o777)),
    "its package": ("packages/rescue", lambda path: os.chown(path, ANNA, 0)),
    "one module deep in it": (
        "packages/rescue/system/process/run.py",
        lambda path: path.chmod(0o666),
    ),
    "a template of its units": (
        "packages/rescue/templates/rescue-mirror.service",
        lambda path: path.chmod(0o646),
    ),
    "a module that it stands on": (
        "packages/cattrs/__init__.py",
        lambda path: path.chmod(0o666),
    ),
}


@pytest.mark.parametrize("harm", HARMFUL)
def test_one_that_others_may_change_is_refused_with_what_mends_it(
    program: Program, harm: str
) -> None:
    name, spoil = HARMFUL[harm]
    path = program.top / name
    before = path.stat()
    spoil(path)
    try:
        code, refused = program.refused()
        assert code == ExitCode.REFUSED
        (reason,) = refused
        assert f"users other than root could change what would run every night: {path} " in reason
        subprocess.run(refused[reason].split(), check=True)
        assert program.refused()[1] == {}
    finally:
        os.chown(path, before.st_uid, before.st_gid)
        path.chmod(before.st_mode & 0o7777)


def test_each_file_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path
    for number in range(30):
        here = here / f"d{number}"
        here.mkdir()
        for name in range(10):
            (here / f"f{name}").touch()
    looked = []
    real = ownership._weak

    def counted(path: Path, trusted: Collection[int]) -> ownership.WeakSpot | None:
        looked.append(path)
        return real(path, trusted)

    monkeypatch.setattr(ownership, "_weak", counted)
    assert weak_spot_below(tmp_path / "d0") is None
    assert len(looked) < 400
