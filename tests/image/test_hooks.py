"""Hooks as real processes: in time or ended, their output in the log, dumps whole or not at all."""

import os
import pwd
import signal
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from rescue.model.run.hook import HookCall, HookWhen, OnFailure
from rescue.run.hook_runner import HookError, HookRunner
from rescue.system.files import mount_namespace
from rescue.system.files.mount_namespace import HostNamespace
from tests.image.hookcalls import CALL
from tests.image.loopdisks import in_child

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users, mount namespaces"),
]


@pytest.fixture(name="for_all")
def for_all_() -> Iterator[Path]:
    """A folder that every user can reach; pytest's own are for one alone."""
    with TemporaryDirectory(prefix="rescue-test-") as place:
        Path(place).chmod(0o755)
        yield Path(place)


def shell(script: str) -> HookCall:
    return replace(CALL, argv=("sh", "-c", script))


class Heard:
    """An attendant, what it said to people, and what it wrote into the log."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.lines: list[str] = []

    def carry_out(self, *calls: HookCall) -> tuple[str, ...]:
        with HostNamespace() as host:
            hook_runner = HookRunner(
                host=host,
                say=self.said.append,
                log=lambda who, line: self.lines.append(f"{who}: {line}"),
            )
            return hook_runner.carry_out(calls)


def test_output_is_heard_line_by_line() -> None:
    heard = Heard()
    assert heard.carry_out(shell("echo one; echo two >&2")) == ()
    assert sorted(heard.lines) == ["hook probe: one", "hook probe: two"]
    assert heard.said == ["hook 'probe' (before the run)"]


def test_one_that_fails_ends_the_run_and_the_next_does_not_begin() -> None:
    heard = Heard()
    with pytest.raises(HookError) as caught:
        heard.carry_out(shell("echo no room; exit 3"), shell("echo second"))
    assert "hook 'probe' (before the run) failed with exit code 3: no room" in str(caught.value)
    assert "hook probe: second" not in heard.lines


def test_one_that_warns_is_said_and_the_next_begins() -> None:
    heard = Heard()
    warned = heard.carry_out(
        replace(shell("exit 3"), on_failure=OnFailure.WARN), shell("echo second")
    )
    assert warned == ("hook 'probe' (before the run) failed with exit code 3: no output",)
    assert heard.lines == ["hook probe: second"]


def test_after_a_run_each_has_its_turn() -> None:
    heard = Heard()
    with pytest.raises(HookError):
        heard.carry_out(
            replace(shell("exit 3"), when=HookWhen.AFTER),
            replace(shell("echo second"), when=HookWhen.AFTER),
        )
    assert heard.lines == ["hook probe: second"]


def test_a_hanging_one_is_ended_at_its_time() -> None:
    with pytest.raises(HookError, match="exit code 124: not done after 1 s"):
        Heard().carry_out(replace(shell("sleep 1000 & wait"), timeout_seconds=1))


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (replace(CALL, argv=("no-such-program",)), "no-such-program is not installed"),
        (replace(CALL, user="nobody-at-all"), "there is no user 'nobody-at-all'"),
        (replace(CALL, argv=("/etc/passwd",)), "/etc/passwd is not installed"),
    ],
)
def test_what_cannot_begin_is_said(call: HookCall, why: str) -> None:
    with pytest.raises(HookError, match=why):
        Heard().carry_out(call)


def test_a_user_runs_it_with_its_home_and_without_roots_rights() -> None:
    heard = Heard()
    heard.carry_out(
        replace(
            shell(
                "id -un; echo $HOME; grep CapEff /proc/self/status; cat /etc/shadow | wc -l 2>&1"
            ),
            user="nobody",
        )
    )
    home = pwd.getpwnam("nobody").pw_dir
    assert heard.lines[:3] == [
        "hook probe: nobody",
        f"hook probe: {home}",
        "hook probe: CapEff:\t0000000000000000",
    ]
    assert "Permission denied" in "".join(heard.lines[3:])


@pytest.mark.parametrize("user", ["", "nobody"])
def test_it_ends_when_rescue_is_killed(for_all: Path, user: str) -> None:
    place = for_all / "said"
    place.touch()
    place.chmod(0o666)
    child = os.fork()
    if child == 0:
        with HostNamespace() as host:
            hook_runner = HookRunner(host=host, say=lambda _: None, log=lambda *_: None)
            script = f"trap 'echo ended > {place}; exit' TERM; echo begun > {place}; "
            hook_runner.carry_out(
                [replace(shell(script + "while :; do sleep 0.1; done"), user=user)]
            )
        os._exit(0)
    wait_until(lambda: "begun" in place.read_text())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    wait_until(lambda: "ended" in place.read_text())


def test_it_sees_the_machine_and_not_the_private_mounts_of_a_run(tmp_path: Path) -> None:
    place = tmp_path / "private"
    place.mkdir()

    def action() -> object:
        lines: list[str] = []
        with HostNamespace() as host:
            hook_runner = HookRunner(
                host=host, say=lambda _: None, log=lambda _, line: lines.append(line)
            )
            mount_namespace.enter_private()
            mount_namespace.mount(mount_namespace.tmpfs_argv(place, size="1m", mode="0700"))
            (place / "of-the-run").touch()
            hook_runner.carry_out([shell(f"ls -A {place} | wc -l; readlink /proc/self/ns/mnt")])
        return lines

    assert in_child(action) == ["0", os.readlink("/proc/self/ns/mnt")]


def test_a_dump_is_whole_and_for_root_alone(tmp_path: Path) -> None:
    dump = tmp_path / "dumps" / "postgresql.sql"
    call = replace(shell("echo 'create table;'; echo done >&2"), dump=str(dump), user="nobody")
    heard = Heard()
    heard.carry_out(call)
    assert dump.read_text() == "create table;\n"
    info = dump.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid) == (0o600, 0)
    assert stat.S_IMODE(dump.parent.stat().st_mode) == 0o700
    assert heard.lines == ["hook probe: done"]


@pytest.mark.parametrize("script", ["echo half; exit 1", "echo half; sleep 1000"])
def test_a_dump_that_fails_leaves_that_of_last_time(tmp_path: Path, script: str) -> None:
    dump = tmp_path / "postgresql.sql"
    dump.write_text("of last time\n")
    with pytest.raises(HookError):
        Heard().carry_out(replace(shell(script), dump=str(dump), timeout_seconds=1))
    assert dump.read_text() == "of last time\n"
    assert [each.name for each in tmp_path.iterdir()] == ["postgresql.sql"]


def test_a_dump_is_not_written_where_others_can_lay_a_link(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    somebodys = tmp_path / "somebodys"
    somebodys.mkdir()
    os.chown(somebodys, 1234, 1234)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    for folder in (open_to_all, somebodys / "below", link):
        with pytest.raises(HookError, match="can be changed by others than root"):
            Heard().carry_out(replace(CALL, dump=str(folder / "x.sql")))


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        signal.sigtimedwait([], 0.1)
    raise AssertionError("it did not happen in a minute")
