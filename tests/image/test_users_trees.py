"""Users link, swap and nest what they like: nothing outside their files changes, runs stay green.

With rsync as Debian 12 was released, which follows links that later ones do not, and as installed.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from rescue.apply.marker import store_marker
from rescue.apply.workspace import Workspace
from rescue.model.mirror.partial import EARLIER, partial_folder
from rescue.model.mirror.record import MirrorState
from rescue.model.mirror.step import SyncTree
from rescue.model.storage.filesystem import FsKind
from rescue.system.files import mount_namespace
from tests.image.fuse import fuse_mount
from tests.image.loopdisks import DiskPair, disk_pair, in_child, sh, tree_of
from tests.image.nights import night
from tests.image.rsyncs import VERSIONS, rsync_of
from tests.image.test_apply_run import OWN
from tests.image.users import EVE, as_user, dig, exchange, home_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]


@pytest.fixture(name="rsync", params=VERSIONS)
def rsync_(request: pytest.FixtureRequest) -> Iterator[str]:
    with rsync_of(request.param):
        yield request.param


def absolute(victim: Path, name: str) -> None:
    os.symlink(victim, name)


def relative(victim: Path, name: str) -> None:
    os.symlink("../../etc", name)


def itself(victim: Path, name: str) -> None:
    os.symlink(".", name)


def plain_file(victim: Path, name: str) -> None:
    Path(name).write_bytes(b"in the way")


TRAPS = (absolute, relative, itself, plain_file)


@pytest.mark.parametrize("trap", TRAPS)
def test_a_user_who_knows_our_name_for_new_content_leads_nobody_anywhere(
    pair: DiskPair, rsync: str, trap: Callable[[Path, str], None]
) -> None:
    """He may read this run's from the list of processes, and lay it in time."""
    victim = pair.folder / "victim"
    victim.mkdir()
    victim.chmod(0o777)
    (victim / "passwd").write_bytes(b"the live system's")
    (pair.root / "etc/passwd").write_bytes(b"the mirror's")
    eve = home_of(pair.root / "home")
    as_user(eve, lambda: Path("passwd").write_bytes(b"of last night"))
    night(pair, pair.plan(first=True))

    def lay() -> None:
        Path("passwd").write_bytes(b"eve::0:0::/:/bin/sh")
        for name in (EARLIER, pair.record.partial):
            trap(victim, name)

    as_user(eve, lay)
    for _ in range(2):
        said = night(pair, pair.plan())
        assert said.unreadable == []
        assert [path.read_bytes() for path in victim.iterdir()] == [b"the live system's"]
        with pair.mirror_seen() as mirror:
            assert (mirror / "etc/passwd").read_bytes() == b"the mirror's"
            assert tree_of(mirror, (*OWN, f"home/eve/{pair.record.partial}")) == tree_of(
                pair.root, (*OWN, f"home/eve/{pair.record.partial}")
            )
    later = replace(pair.record, partial=partial_folder(str(uuid4())))
    night(pair, replace(pair.plan(), record=later))
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN) == tree_of(pair.root, OWN), "the next run has another name"


def test_a_cut_run_heals_though_its_name_was_laid_as_a_trap(pair: DiskPair, rsync: str) -> None:
    eve = home_of(pair.root / "home")
    as_user(eve, lambda: Path("letter").write_bytes(b"1"))
    night(pair, pair.plan(first=True))
    plan = pair.plan()
    left = plan.record.partial
    running = replace(plan.record, state=MirrorState.RUNNING)
    in_child(lambda: store_marker(running, pair.grant(plan), site=pair.site))
    with pair.mirror_seen() as mirror:
        (mirror / "home/eve" / left).mkdir(mode=0o700)
        (mirror / "home/eve" / left / "letter").write_bytes(b"half")
        (mirror / "home/ann" / left).symlink_to("../../etc")
    as_user(eve, lambda: os.symlink(".", left))
    later = replace(pair.record, partial=partial_folder(str(uuid4())))
    assert night(pair, replace(pair.plan(), record=later)).unreadable == []
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN) == tree_of(pair.root, OWN)
        assert (mirror / "etc/fstab").exists()


def test_no_link_of_either_side_leads_anywhere_but_in_the_tree_that_programs_work_in(
    pair: DiskPair,
) -> None:
    night(pair, pair.plan(first=True))
    plan = pair.plan()

    def action() -> object:
        with Workspace.writable(pair.grant(plan), site=pair.site) as workspace:
            options = {
                line.split()[4]: set(line.split()[5].split(","))
                for line in Path("/proc/self/mountinfo").read_text().splitlines()
            }
            safe = {"nosymfollow", "nodev", "nosuid", "noexec"}
            for point in ("/", "/boot"):
                assert safe <= options[str(workspace.source(point))]
                assert "ro" in options[str(workspace.source(point))]
                assert safe <= options[str(workspace.mirror(point))]
            for side in (workspace.source("/"), workspace.mirror("/")):
                with pytest.raises(OSError, match="Too many levels"):
                    (side / "home/ann/to-mail").read_bytes()
            assert os.readlink(workspace.mirror("/") / "home/ann/to-mail") == "mail"
            assert (workspace.tree() / "home/ann/to-mail").read_bytes()
            return not {"nosymfollow", "noexec"} & options[str(workspace.tree() / "boot")]

    assert in_child(action) is True


def test_a_folder_that_becomes_a_link_while_it_is_read_brings_nobodys_secret(
    pair: DiskPair, rsync: str
) -> None:
    """It is listed as eve's own folder, and opened when it leads to root's."""
    secret = pair.root / "root/keys"
    secret.mkdir(parents=True, mode=0o700)
    (secret / "letter").write_bytes(b"a secret of root's")
    eve = home_of(pair.root / "home")
    (pair.root / "home/zoe").mkdir()
    (pair.root / "home/zoe/gone").write_bytes(b"1")
    night(pair, pair.plan(first=True))
    (pair.root / "home/zoe/gone").unlink()

    def lay() -> None:
        # In the order of names: while the first one is on its way, the second was listed.
        Path("a-large").write_bytes(os.urandom(6 << 20))
        os.mkdir("b")
        Path("b/letter").write_bytes(b"this is eve's own.")
        os.symlink("../../root/keys", "link")

    as_user(eve, lay)
    (step, *_) = pair.plan().steps
    assert isinstance(step, SyncTree)
    plan = pair.plan(steps=(replace(step, bandwidth_kib=2048),))
    swapped = threading.Event()

    def swap() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and not swapped.is_set():
            if _is_open("a-large"):
                as_user(eve, lambda: exchange("b", "link"))
                swapped.set()
            time.sleep(0.01)

    watcher = threading.Thread(target=swap)
    watcher.start()
    said = night(pair, plan)
    watcher.join()
    assert swapped.is_set(), "rsync was never seen reading"
    with pair.mirror_seen() as mirror:
        copied = [Path(folder, "letter") for folder, _, _ in os.walk(mirror / "home/eve")]
        found = {str(path): path.read_bytes() for path in copied if path.exists()}
        assert b"a secret of root's" not in found.values(), found
        assert (mirror / "home/eve/a-large").read_bytes() == (eve / "a-large").read_bytes()
        assert not (mirror / "home/zoe/gone").exists(), "nobody else's deletions are kept by it"
    assert said.unreadable == ["/home/eve/b/letter"]


def _is_open(name: str) -> bool:
    """Whether an rsync reads a file of that name."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text() == "rsync\n" and any(
                os.readlink(each).endswith(f"/{name}") for each in (process / "fd").iterdir()
            ):
                return True
        except OSError:
            continue
    return False


def test_a_long_path_that_can_be_said_is_mirrored(pair: DiskPair, rsync: str) -> None:
    eve = home_of(pair.root / "home")
    night(pair, pair.plan(first=True))
    as_user(eve, long_file(18))
    assert night(pair, pair.plan()).unreadable == []
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN) == tree_of(pair.root, OWN)


def test_a_mount_that_calls_itself_a_disk_is_none_and_covers_nothing(pair: DiskPair) -> None:
    """Over eve's folder, and over a file system of the machine that she owns."""
    eve = home_of(pair.root / "home")

    def lay() -> None:
        Path("remote").mkdir()
        Path("remote/under").write_bytes(b"1")

    as_user(eve, lay)
    night(pair, pair.plan(first=True))
    (pair.root / "boot/new").write_bytes(b"new")
    device = mount_namespace.mounted_at(pair.root).device
    with (
        fuse_mount(eve / "remote", uid=EVE, called=device),
        fuse_mount(pair.root / "boot", uid=EVE, called=device, kind="ext4"),
    ):
        seen = mount_namespace.mounted_at(eve / "remote")
        assert (seen.uuid, seen.fstype) == ("", "fuse.sshfs")
        assert night(pair, pair.plan()).unreadable == []
        assert mount_namespace.mounted_at(pair.root / "boot").fstype == "fuse.ext4", (
            "of this process alone"
        )
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN) == tree_of(pair.root, OWN)
        assert (mirror / "boot/new").read_bytes() == b"new"


def long_file(levels: int) -> Callable[[], None]:
    """A file whose path is too long, in a folder whose own is not."""
    return lambda: dig("d" * 200, levels, inside="f" * 250)


@pytest.mark.parametrize(
    "nest",
    [
        lambda: dig("d" * 200, 40),
        *(long_file(levels) for levels in (19, 20)),
        lambda: dig("*" * 200, 40),
        lambda: dig("x", 2100),
    ],
    ids=["folders", "a file", "a file in the last folder", "wildcards", "short names"],
)
def test_what_is_deeper_than_a_path_can_say_is_named_and_stops_nobody(
    pair: DiskPair, rsync: str, nest: Callable[[], None]
) -> None:
    eve = home_of(pair.root / "home")
    as_user(eve, lambda: Path("mine").write_bytes(b"1"))
    night(pair, pair.plan(first=True))
    as_user(eve, nest)
    (pair.root / "home/ann/letter").write_bytes(b"new")
    (pair.root / "home/ann/mail-again").unlink()
    as_user(eve, lambda: os.unlink("mine"))
    for _ in range(2):
        said = night(pair, pair.plan())
        (named,) = said.unreadable
        assert named.startswith("/home/eve/")
        assert [line for line in said.notes if line.startswith(named) and "cannot" in line]
        with pair.mirror_seen() as mirror:
            assert (mirror / "home/ann/letter").read_bytes() == b"new"
            assert not (mirror / "home/ann/mail-again").exists()
            assert not (mirror / "home/eve/mine").exists()


def test_a_user_s_subvolume_is_named_and_nobody_else_s_files_wait_for_it(tmp_path: Path) -> None:
    with disk_pair(tmp_path, FsKind.BTRFS) as pair:
        eve = home_of(pair.root / "home")
        as_user(eve, lambda: Path("mine").write_bytes(b"in a plain folder"))
        (pair.root / "home/anna").mkdir()
        night(pair, pair.plan(first=True))

        def enclose() -> None:
            for name in ("box", "line\nbreak", "empty"):
                sh("btrfs", "subvolume", "create", name)
            Path("box/letter").write_bytes(b"not mirrored")
            Path("line\nbreak/letter").write_bytes(b"not mirrored")

        as_user(eve, enclose)
        (pair.root / "home/anna/mail").write_bytes(b"of today")
        for _ in range(2):
            said = night(pair, pair.plan())
            named = {path.rpartition("/home/eve/")[2] for path in said.unreadable}
            assert named == {"box", "line\nbreak"}
        with pair.mirror_seen() as mirror:
            assert (mirror / "home/anna/mail").read_bytes() == b"of today"
            assert (mirror / "home/eve/mine").read_bytes() == b"in a plain folder"
