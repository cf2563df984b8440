"""A run waits for apt, by a lock that another process really holds, and not for ever."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rescue.model.event import Event, Notice
from rescue.run.wait_for_apt import wait_for_packages
from rescue.system.boot.dpkg import lock_holder, program

# As apt and dpkg take it: a POSIX lock on the whole file, dropped when its holder ends.
HOLDER = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read(1)
"""


@contextmanager
def held(lock: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_the_lock_s_holder_is_named_and_the_lock_not_taken(tmp_path: Path) -> None:
    lock = tmp_path / "lock-frontend"
    assert lock_holder(lock) is None
    lock.touch()
    assert lock_holder(lock) is None
    with held(lock) as holder:
        assert lock_holder(lock) == holder.pid
        assert program(holder.pid).startswith("python")
    assert lock_holder(lock) is None
    with held(lock):
        pass


def test_a_run_waits_until_the_packages_are_installed(tmp_path: Path) -> None:
    lock = tmp_path / "lock-frontend"
    said: list[str] = []
    with held(lock) as holder:

        def emit(event: Event) -> None:
            assert isinstance(event, Notice)
            said.append(event.message)
            if len(said) == 1:
                holder.communicate("x")

        came_of_it = wait_for_packages(60, emit, lock=lock, pause=0.05)
    assert f"(process {holder.pid}) is installing packages" in said[0]
    assert "was waited for" in said[1]
    assert came_of_it == said[1]


def test_a_run_waits_no_longer_than_its_limit(tmp_path: Path) -> None:
    lock = tmp_path / "lock-frontend"
    said: list[Event] = []
    with held(lock):
        assert wait_for_packages(0.002, said.append, lock=lock, pause=0.05)
        assert "was still at work" in str(said[-1])
        assert not wait_for_packages(0, said.append, lock=lock)
        assert len(said) == 2


def test_where_nobody_installs_anything_nothing_is_said(tmp_path: Path) -> None:
    said: list[Event] = []
    assert not wait_for_packages(15, said.append, lock=tmp_path / "none")
    assert said == []
