"""What root takes orders from is nobody else's to change: configuration, hooks, the program."""

import grp
import os
import pwd
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from rescue.errors import ExitCode, UsageError
from rescue.model.run.hook import HookCall
from rescue.run.hook_runner import HookError, HookRunner
from rescue.store import config
from rescue.system.files.mount_namespace import HostNamespace
from rescue.system.files.ownership import WeakSpot, weak_spot, weak_spot_below
from tests.image.hookcalls import CALL

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of other users"),
]

ANNA = pwd.getpwnam("nobody").pw_uid
EMPTY = "version = 1\n[source]\ntable_uuid = 't'\n"


@pytest.fixture
def place() -> object:
    """A folder of root's that every user can reach."""
    with TemporaryDirectory(prefix="rescue-test-") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "etc").mkdir(mode=0o755)
        path = Path(folder) / "etc/orders"
        path.write_text("#!/bin/sh\necho obeyed\n")
        path.chmod(0o755)
        yield path


def own(path: Path) -> None:
    os.chown(path, ANNA, 0)


def link(path: Path) -> None:
    """Put a link in its place that leads to a folder of somebody else's."""
    home = path.parent.parent / "home"
    home.mkdir(mode=0o755)
    path.rename(home / path.name)
    os.chown(home, ANNA, 0)
    path.symlink_to(Path("../home") / path.name)


HARMFUL: dict[str, Callable[[Path], None]] = {
    "by everybody": lambda path: path.chmod(0o757),
    "of somebody else": own,
    "folder by everybody": lambda path: path.parent.chmod(0o777),
    "folder of somebody else": lambda path: own(path.parent),
    "a link into somebody's home": link,
}


@pytest.mark.parametrize("harm", HARMFUL)
def test_what_others_could_change_is_found_and_the_command_mends_it(place: Path, harm: str) -> None:
    assert weak_spot(place) is None
    HARMFUL[harm](place)
    mended = 0
    while (spot := weak_spot(place)) is not None:
        subprocess.run(spot.mend.split(), check=True)
        mended += 1
        assert mended < 5
    assert mended >= 1


def test_a_group_counts_when_somebody_is_in_it(place: Path) -> None:
    users = {each.pw_gid for each in pwd.getpwall() if each.pw_uid}
    somebodys = next(iter(sorted(users - {0})))
    nobodys = next(
        each.gr_gid for each in grp.getgrall() if not each.gr_mem and each.gr_gid not in users
    )
    place.chmod(0o775)
    for gid, weak in ((0, False), (nobodys, False), (somebodys, True)):
        os.chown(place, 0, gid)
        assert (weak_spot(place) is not None) is weak, grp.getgrgid(gid)


def test_an_owner_that_it_runs_as_may_change_it(place: Path) -> None:
    own(place)
    assert weak_spot(place, owners=(ANNA,)) is None


def test_a_folder_is_looked_at_down_to_its_last_file(place: Path) -> None:
    deep = place.parent / "a/b"
    deep.mkdir(parents=True)
    (deep / "c.py").touch()
    assert weak_spot_below(place.parent) is None
    (deep / "c.py").chmod(0o666)
    assert weak_spot_below(place.parent) == WeakSpot(
        path=deep / "c.py", why="can be written by everybody", mend=f"chmod go-w {deep / 'c.py'}"
    )


def test_a_circle_of_links_ends(place: Path) -> None:
    (place.parent / "one").symlink_to("two")
    (place.parent / "two").symlink_to("one")
    with pytest.raises(OSError, match="too many links"):
        weak_spot(place.parent / "one")


@pytest.mark.parametrize("harm", HARMFUL)
def test_a_configuration_that_others_could_change_is_not_obeyed(place: Path, harm: str) -> None:
    place.write_text(EMPTY)
    assert config.load(place).source.table_uuid == "t"
    HARMFUL[harm](place)
    with pytest.raises(UsageError, match="is not obeyed: others than root") as error:
        config.load(place)
    assert error.value.code is ExitCode.USAGE
    assert "ch" in error.value.hint


def carried_out(call: HookCall) -> list[str]:
    lines: list[str] = []
    with HostNamespace() as host:
        hook_runner = HookRunner(
            host=host, say=lambda _: None, log=lambda _, line: lines.append(line)
        )
        hook_runner.carry_out([call])
    return lines


@pytest.mark.parametrize("harm", HARMFUL)
def test_a_hook_that_others_could_change_is_not_run(place: Path, harm: str) -> None:
    call = replace(CALL, argv=(str(place),))
    assert carried_out(call) == ["obeyed"]
    HARMFUL[harm](place)
    with pytest.raises(HookError, match="is not run: users other than root could change it"):
        carried_out(call)
    with HostNamespace() as host, pytest.raises(UsageError, match=r"; then: ch"):
        HookRunner(host=host, say=print).expect_trusted([call])


def test_a_hook_may_be_of_the_user_that_it_runs_as(place: Path) -> None:
    own(place)
    assert carried_out(replace(CALL, argv=(str(place),), user="nobody")) == ["obeyed"]


def test_a_program_found_by_its_name_is_looked_at_where_it_was_found(place: Path) -> None:
    call = replace(CALL, argv=(place.name,), environment={"PATH": f"{place.parent}:/usr/bin"})
    assert carried_out(call) == ["obeyed"]
    place.parent.chmod(0o777)
    with pytest.raises(HookError, match="is not run"):
        carried_out(call)
