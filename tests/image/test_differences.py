"""A copy by the names of one look makes the mirror as equal as one that looks at everything."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rescue.model.mirror.differences import Differences
from rescue.model.mirror.unread import Seen
from rescue.model.storage.filesystem import FsKind
from rescue.system.files.name_lists import listed
from rescue.system.files.source_tree import look_over
from rescue.system.rsync.differences import (
    DifferencesFound,
    carry_argv,
    folders_of,
    remove_argv,
)
from rescue.system.rsync.rsync import SyncJob, carry_out, estimate_argv, sync_argv
from tests.image.loopdisks import disk_pair, tree_of
from tests.image.nights import night
from tests.image.rsyncs import VERSIONS, rsync_of
from tests.image.test_apply_run import OWN

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: lists lie below /run"),
]

SEEN = Seen()
FOLDERS = ("", "a", "a/b", "a/b/c", "d", "d/e")
NAMES = ("1", "two words", "new\nline", "#3", "*[4]?", "a\\#012", "\udcff", "b", "e")
paths = st.builds(lambda folder, name: f"{folder}/{name}".lstrip("/"), *map(
    st.sampled_from, (FOLDERS, NAMES)
))  # fmt: skip
times = st.integers(1, 10**18)


@pytest.fixture(scope="module", params=VERSIONS)
def _rsync(request: pytest.FixtureRequest) -> object:
    with rsync_of(request.param):
        yield


def found_in(job: SyncJob, seen: Seen = SEEN) -> Differences | None:
    """Look at both sides once, as the look before a run does."""
    links: dict[int, list[str]] = {}

    def on_file(path: str, info: os.stat_result) -> None:
        if info.st_nlink > 1:
            links.setdefault(info.st_ino, []).append(path)

    look_over(job.source, on_file)
    found = DifferencesFound()
    carry_out(estimate_argv(job), on_line=found.line)
    return found.of(job.source, seen=seen, links=links, files_total=0)


def carried(found: Differences, job: SyncJob) -> None:
    """Carry the differences out, as the copy does."""
    if found.changed:
        with listed(found.changed) as names:
            assert carry_out(carry_argv(job, names), on_line=lambda _: None).returncode == 0
    if found.gone:
        with listed(folders_of(found.gone)) as folders:
            assert carry_out(remove_argv(job, folders), on_line=lambda _: None).returncode == 0


def job_between(folder: Path, **more: object) -> SyncJob:
    source, target = folder / "source", folder / "target"
    for each in (source, target):
        each.mkdir(exist_ok=True)
    job = SyncJob(source=source, target=target, kind=FsKind.EXT4, partial=".waiting~1")
    return SyncJob(**{**vars(job), **more})


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def _file(root: Path, name: str, other: str, number: int) -> None:
    _gone(root / name)
    (root / name).write_bytes(b"x" * (number % 7) + os.fsencode(name))


def _append(root: Path, name: str, other: str, number: int) -> None:
    if (root / name).is_file() and not (root / name).is_symlink():
        with (root / name).open("ab") as file:
            file.write(b"more")


def _delete(root: Path, name: str, other: str, number: int) -> None:
    _gone(root / name)


def _folder(root: Path, name: str, other: str, number: int) -> None:
    _gone(root / name)
    (root / name).mkdir()
    (root / name / "inside").write_bytes(b"inside")


def _link(root: Path, name: str, other: str, number: int) -> None:
    if (root / other).is_file() and not (root / other).is_symlink() and name != other:
        _gone(root / name)
        os.link(root / other, root / name)


def _symlink(root: Path, name: str, other: str, number: int) -> None:
    _gone(root / name)
    (root / name).symlink_to(os.path.basename(other))


def _rename(root: Path, name: str, other: str, number: int) -> None:
    if os.path.lexists(root / other) and not f"{name}/".startswith(f"{other}/"):
        _gone(root / name)
        if os.path.lexists(root / other):
            os.rename(root / other, root / name)


def _mode(root: Path, name: str, other: str, number: int) -> None:
    if (root / name).exists() and not (root / name).is_symlink():
        (root / name).chmod(0o700 | number % 0o100)


def _time(root: Path, name: str, other: str, number: int) -> None:
    if os.path.lexists(root / name):
        os.utime(root / name, ns=(number, number), follow_symlinks=False)


Change = Callable[[Path, str, str, int], None]
CHANGES: tuple[Change, ...] = (
    *(_file, _append, _delete, _folder, _link, _symlink, _rename, _mode, _time),
)
changes = st.lists(st.tuples(st.sampled_from(CHANGES), paths, paths, times), max_size=12)


def done(root: Path, steps: list[tuple[Change, str, str, int]]) -> None:
    for change, name, other, number in steps:
        # What was a folder on the way may be something else by now.
        if all(
            (root / way).is_dir() and not (root / way).is_symlink() for way in ways(name, other)
        ):
            change(root, name, other, number)


def ways(*names: str) -> list[str]:
    return [os.path.dirname(name) for name in names]


@pytest.mark.usefixtures("_rsync")
@settings(max_examples=60)
@given(before=changes, after=changes)
def test_the_names_alone_make_the_mirror_equal(
    before: list[tuple[Change, str, str, int]], after: list[tuple[Change, str, str, int]]
) -> None:
    with TemporaryDirectory() as name:
        job = job_between(Path(name))
        for folder in FOLDERS[1:]:
            (job.source / folder).mkdir()
        done(job.source, before)
        subprocess.run(["rsync", "-aHAX", f"{job.source}/", f"{job.target}/"], check=True)
        done(job.source, after)
        found = found_in(job)
        if found is None:
            carry_out(sync_argv(job), on_line=lambda _: None)
        else:
            carried(found, job)
        assert tree_of(job.target) == tree_of(job.source)
        again = found_in(job)
        assert again is None or (again.changed, again.gone) == ((), ())


def test_a_night_by_names_is_the_night_that_looks_at_everything(tmp_path: Path) -> None:
    with disk_pair(tmp_path) as pair:
        night(pair, pair.plan(first=True))
        ann = pair.root / "home/ann"
        (ann / "mail").write_bytes(b"changed")
        (ann / "new\nline").unlink()
        (ann / "*[wild]?\\").rename(ann / "tame")
        os.utime(ann, ns=(1, 2))
        shutil.rmtree(pair.root / "var/odd")
        (pair.root / "var/odd").write_text("a file now")
        (pair.root / "usr/lib/modules/6.1.0-1/ext4.ko").unlink()
        (pair.root / "boot/grub/grub.cfg").write_text("# nothing\n")
        with pair.mirror_seen() as mirror:
            (mirror / "home/stray").write_bytes(b"not on the source")
        told = night(pair, pair.plan())
        assert (told.unreadable, told.kept) == ([], [])
        with pair.mirror_seen() as mirror:
            assert tree_of(mirror, OWN) == tree_of(pair.root, OWN)


def test_what_changes_after_the_look_is_left_to_the_next_night_and_spoils_nothing(
    tmp_path: Path,
) -> None:
    with disk_pair(tmp_path) as pair:
        night(pair, pair.plan(first=True))
        ann = pair.root / "home/ann"
        for name in ("gone", "folder", "swapped", "back"):
            (ann / name).mkdir()
            (ann / name / "inside").write_text("before")
        night(pair, pair.plan())
        (ann / "gone/inside").write_text("changed")
        (ann / "folder/inside").write_text("changed")
        (ann / "swapped/inside").write_text("changed")
        (ann / "mail").write_text("changed")
        shutil.rmtree(ann / "back")

        def meanwhile() -> None:
            shutil.rmtree(ann / "gone")
            shutil.rmtree(ann / "folder")
            (ann / "folder").write_text("a file by now")
            shutil.rmtree(ann / "swapped")
            (ann / "swapped").symlink_to("/etc")
            (ann / "back").mkdir()
            (ann / "back/inside").write_text("again")

        told = night(pair, pair.plan(), between=meanwhile)
        with pair.mirror_seen() as mirror:
            assert (mirror / "home/ann/mail").read_text() == "changed"
            assert (mirror / "home/ann/back").is_dir()
        assert told.failing_source == []
        assert night(pair, pair.plan()).unreadable == []
        with pair.mirror_seen() as mirror:
            assert tree_of(mirror, OWN) == tree_of(pair.root, OWN)
