"""Homes come back from a dead disk's image onto the file systems of a running mirror."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.model.finding import Severity
from rescue.model.restore.way_back import Reading, RestoreReport, Told
from rescue.model.storage.filesystem import FsKind
from rescue.paths import REPLACED_FOLDER, RESTORE_FOLDER
from tests.image.deaddisk import MIB, Night, Post, attach, night_of
from tests.image.fscrypt import Lock
from tests.image.loopdisks import ChildError, sh, tree_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

DAY = 86400.0


@pytest.fixture(name="post")
def post_() -> Post:
    return Post()


@pytest.fixture(name="night")
def night_(tmp_path: Path, post: Post) -> Iterator[Night]:
    with night_of(tmp_path) as night:
        last_night(night, post)
        yield night


def last_night(night: Night, post: Post) -> None:
    """The first disk has users with mail; the last run copied all of it; then more came."""
    with night.alive() as alive:
        for user, numbers in (("anna", range(0, 60)), ("bela", range(60, 100))):
            post.deliver(alive / "home", user, numbers, age=DAY)
        notes = alive / "home/anna/notes"
        notes.mkdir()
        for name in ("untouched", "edited there", "edited here", "edited on both"):
            write(notes / name, "as it was last night", age=DAY)
        (alive / "var/mail").mkdir(parents=True)
        write(alive / "var/mail/anna", "From mbox", age=DAY)
        sh("cp", "-a", f"{alive}/home/.", str(night.home))
        sh("cp", "-a", f"{alive}/var", str(night.running))
    night.night_is_over()
    with night.alive() as alive:
        home = alive / "home"
        post.deliver(home, "anna", range(100, 130), age=7200)
        (home / "anna/Maildir/new/175.M5.server").unlink()
        for name in ("edited there", "edited on both"):
            write(home / "anna/notes" / name, "edited before the crash", age=3600)
        (home / "anna/#new\nfolder").mkdir(mode=0o750)
        write(home / "anna/#new\nfolder/-rf *", "odd", age=3600)
        (home / "zoe").mkdir(mode=0o700)
        os.chown(home / "zoe", 1234, 1234)
        write(home / "zoe/first", "a user of yesterday evening", age=3600)
        (home / "anna/link").symlink_to("notes/untouched")
    post.deliver(night.home, "anna", range(200, 220))
    post.deliver(night.home, "bela", range(220, 225))
    for name in ("edited here", "edited on both"):
        write(night.home / "anna/notes" / name, "edited since the crash")


def write(path: Path, text: str, *, age: float = 0.0) -> None:
    path.write_text(text)
    os.utime(path, (time.time() - age,) * 2)


def of(report: RestoreReport, user: str) -> Told:
    return next(told for told in report.users if told.user == user)


def test_what_was_lost_returns_and_what_is_newer_here_stays(night: Night, post: Post) -> None:
    before = night.digest()
    report = night.restored()

    assert post.missing(night.home) == []
    notes = night.home / "anna/notes"
    assert (notes / "edited there").read_text() == "edited before the crash"
    assert (notes / "edited here").read_text() == "edited since the crash"
    assert (notes / "edited on both").read_text() == "edited since the crash"
    assert (night.home / "anna/#new\nfolder/-rf *").read_text() == "odd"
    zoe = (night.home / "zoe").stat()
    assert (stat.S_IMODE(zoe.st_mode), zoe.st_uid, zoe.st_gid) == (0o700, 1234, 1234)
    assert os.readlink(night.home / "anna/link") == "notes/untouched"
    assert night.digest() == before, "the dead disk was written to"

    assert report.complete
    anna = of(report, "anna")
    assert len(anna.new) == 30 + 2
    assert anna.updated == ("anna/notes/edited there",)
    assert anna.newer_here == ("anna/notes/edited here", "anna/notes/edited on both")
    assert len(anna.only_here) == 20 + 1, "this morning's mail, and what was deleted yesterday"
    assert "anna/Maildir/new/175.M5.server" in anna.only_here
    assert of(report, "bela").comes == ()
    assert len(of(report, "bela").only_here) == 5
    assert of(report, "zoe").new == ("zoe/first",)
    assert not list(night.home.glob(f"{RESTORE_FOLDER}*"))
    assert not (night.home / REPLACED_FOLDER).exists()


def test_a_second_restore_finds_nothing_left_to_do(night: Night) -> None:
    night.restored()
    settled = tree_of(night.running)
    again = night.restored()
    assert [told.comes for told in again.users] == [(), (), ()]
    assert tree_of(night.running) == settled


def test_what_is_replaced_is_put_aside_on_request(night: Night) -> None:
    report = night.restored(keep_replaced=True)
    assert len(report.replaced) == 1
    aside = night.running / report.replaced[0].lstrip("/")
    assert (aside / "anna/notes/edited there").read_text() == "as it was last night"
    assert [p for p in aside.rglob("*") if p.is_file()] == [aside / "anna/notes/edited there"]
    for folder in (aside, aside.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid == 0


def test_another_tree_lies_on_another_file_system(night: Night) -> None:
    with night.alive() as alive:
        write(alive / "var/mail/anna", "From mbox, and more", age=3600)
    report = night.restored(trees=("/var/mail",))
    assert (night.running / "var/mail/anna").read_text() == "From mbox, and more"
    assert [(told.tree, told.user, told.comes) for told in report.users] == [
        ("/var/mail", "", ("anna",))
    ]
    assert not (night.home / "zoe").exists()


def test_what_lies_beside_the_homes_comes_back_whatever_it_is_called(night: Night) -> None:
    """rsync takes a line that begins with '#' or ';' for a comment; Samba has such folders."""
    names = ["#recycle/letter", ";draft", " space", "-rf", "new\nline"]
    with night.alive() as alive:
        (alive / "home/#recycle").mkdir()
        for name in names:
            write(alive / "home" / name, name, age=3600)
    assert night.restored(trees=("/home",)).complete
    for name in names:
        assert (night.running / "home" / name).read_text() == name


def test_xfs_comes_back_as_well(tmp_path: Path, post: Post) -> None:
    with night_of(tmp_path, FsKind.XFS) as night:
        last_night(night, post)
        before = night.digest()
        assert night.restored().complete
        assert post.missing(night.home) == []
        assert night.digest() == before


def test_a_subvolume_of_the_dead_disk_is_said_not_to_come_back(tmp_path: Path, post: Post) -> None:
    """Its content lies beyond a border that is not crossed: an empty folder would look whole."""
    with night_of(tmp_path, FsKind.BTRFS) as night:
        with night.alive() as alive:
            sh("btrfs", "subvolume", "create", f"{alive}/home/carol")
            write(alive / "home/carol/thesis", "for this run only")
            post.deliver(alive / "home", "anna", range(5))
        report = night.restored()
        assert post.missing(night.home) == []
        assert not report.complete
        assert of(report, "carol").unreadable == ("carol",)
        assert any("/home/carol" in note and "subvolume" in note for note in report.notes)
        assert not (night.home / "carol").exists()


def test_a_container_that_put_its_time_back_comes_home(night: Night) -> None:
    """Size and time are equal on both sides; the inode's own time tells that it was written to."""
    safes = {name: f"home/bela/{name}" for name in ("there", "both", "neither")}
    with night.alive() as alive:
        for path in safes.values():
            (alive / path).write_bytes(b"as it was last night.")
            sh("cp", "-a", str(alive / path), str(night.running / path))
    night.night_is_over()
    with night.alive() as alive:
        for name in ("there", "both"):
            rewrite(alive / safes[name], b"before the disk died")
        # Other rights alone are no other content.
        (alive / safes["neither"]).chmod(0o600)
    rewrite(night.running / safes["both"], b"since the mirror runs")
    report = night.restored()
    assert (night.running / safes["there"]).read_bytes().strip() == b"before the disk died"
    assert (night.running / safes["both"]).read_bytes().strip() == b"before the disk died"
    aside = night.running / report.replaced[0].lstrip("/")
    assert (aside / "bela/both").read_bytes() == b"since the mirror runs"
    bela = of(report, "bela")
    assert (bela.updated, bela.doubtful) == (("bela/there",), ("bela/both",))
    assert of(night.restored(), "bela").comes == ()


def rewrite(path: Path, content: bytes) -> None:
    """Give a file another content of the same size, and its time again."""
    times = path.stat()
    with path.open("r+b") as file:
        file.write(content.ljust(times.st_size))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_home_whose_key_died_with_the_disk_is_named_and_brings_no_noise(
    night: Night, post: Post
) -> None:
    device = attach(night.image, *night.home_span)
    sh("tune2fs", "-O", "encrypt", device)
    sh("losetup", "--detach", device)
    with night.alive() as alive:
        lock = Lock(root=alive / "home", secret=bytes(range(64)))
        (alive / "home/carol").mkdir()
        lock.encrypt(alive / "home/carol")
        (alive / "home/carol/letters").mkdir()
        (alive / "home/carol/thesis").write_text("under a key")
        lock.lock()
    (night.home / "carol").mkdir()
    (night.home / "carol/thesis").write_text("as it was mirrored by day")
    report = night.restored()
    assert not report.complete
    assert of(report, "carol").unreadable == ("carol",)
    assert [path.name for path in (night.home / "carol").iterdir()] == ["thesis"]
    assert post.missing(night.home) == []


def destroy(night: Night, offset: int, length: int) -> None:
    with night.image.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(length))


@pytest.mark.parametrize(
    "length", [34 * 512, 512], ids=["the whole first table", "the boot sector alone"]
)
def test_without_a_partition_table_the_recorded_layout_tells_where_home_was(
    night: Night, post: Post, length: int
) -> None:
    destroy(night, 0, length)
    before = night.digest()
    plan = night.planned()
    said = [finding.message for finding in plan.findings]
    assert "second GPT header at the end is there" in said[0]
    assert any("according to the layout recorded on the mirror" in text for text in said)
    assert night.restored().complete
    assert post.missing(night.home) == []
    assert night.digest() == before


def test_a_first_header_that_is_damaged_is_said_and_the_second_is_read(night: Night) -> None:
    destroy(night, 512, 33 * 512)
    plan = night.planned()
    assert "the first GPT header is damaged" in plan.findings[0].message
    assert plan.reads[0].reading is Reading.CLEAN


def test_a_disk_that_was_partitioned_anew_still_has_the_homes(night: Night, post: Post) -> None:
    """Somebody began to install on it: another table, and the recorded layout finds the rest."""
    script = "label: dos\nstart=2048, size=4096\n"
    subprocess.run(["sfdisk", "-q", str(night.image)], input=script, text=True, check=True)
    plan = night.planned()
    assert "it is not the recorded one" in plan.findings[0].message
    assert night.restored().complete
    assert post.missing(night.home) == []


def test_another_file_system_in_the_place_of_home_is_named_and_not_taken(night: Night) -> None:
    start, size = night.home_span
    offset = ["-E", f"offset={start * MIB}"]
    sh("mke2fs", "-q", "-F", "-t", "ext4", *offset, str(night.image), f"{size}M")
    settled = tree_of(night.running)
    with pytest.raises(ChildError, match=r"of /home on .* cannot be read"):
        night.restored()
    assert tree_of(night.running) == settled


def test_one_file_system_alone_can_be_the_image(night: Night, post: Post) -> None:
    start, size = night.home_span
    alone = night.folder / "home.img"
    with night.image.open("rb") as whole:
        whole.seek(start * MIB)
        alone.write_bytes(whole.read(size * MIB))
    night.image = alone
    before = night.digest()
    assert night.restored().complete
    assert post.missing(night.home) == []
    assert night.digest() == before


def test_a_table_that_is_zeros_at_both_ends(night: Night, post: Post) -> None:
    destroy(night, 0, MIB)
    destroy(night, night.image.stat().st_size - 34 * 512, 34 * 512)
    plan = night.planned()
    assert "the beginning is zeros" in plan.findings[0].message
    assert night.restored().complete
    assert post.missing(night.home) == []


def test_a_destroyed_superblock_is_read_by_its_copy(night: Night, post: Post) -> None:
    destroy(night, night.home_span[0] * MIB, 4096)
    before = night.digest()
    plan = night.planned()
    texts = [f"{finding.link}: {finding.message}" for finding in plan.findings]
    assert any("superblock" in text and "a copy of it is at block 8193" in text for text in texts)
    report = night.restored()
    assert post.missing(night.home) == []
    assert night.digest() == before
    reading = plan.reads[0].reading
    assert reading in (Reading.REPAIRED, Reading.BACKUP)
    assert report.complete == reading.is_whole


def test_table_and_superblock_and_all_copies_gone_is_said_and_nothing_is_written(
    night: Night,
) -> None:
    start, size = night.home_span
    destroy(night, 0, MIB)
    destroy(night, start * MIB, size * MIB)
    settled = tree_of(night.running)
    with pytest.raises(ChildError, match="cannot be read") as error:
        night.restored()
    assert error.value.kind == "GuardRefusedError"
    assert tree_of(night.running) == settled


def test_too_little_room_is_said_before_the_first_byte(night: Night) -> None:
    with night.alive() as alive:
        (alive / "home/anna/large").write_bytes(os.urandom(40 * MIB))
    with (night.home / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 90 * MIB)
    settled = tree_of(night.running)
    with pytest.raises(ChildError, match="too little room"):
        night.restored()
    assert tree_of(night.running) == settled


def test_files_from_the_future_are_pointed_out_and_cost_nothing(night: Night, post: Post) -> None:
    with night.alive() as alive:
        write(alive / "home/anna/notes/edited here", "from a wrong clock", age=-30 * DAY)
    write(night.home / "anna/notes/untouched", "from a wrong clock here", age=-30 * DAY)
    plan = night.planned()
    assert plan.future_there == ("/home/anna/notes/edited here",)
    assert plan.future_here == ("/home/anna/notes/untouched",)
    assert len([note for note in plan.notes if "in the future" in note]) == 2

    report = night.restored()
    assert of(report, "anna").doubtful == ("anna/notes/edited here",)
    aside = night.running / report.replaced[0].lstrip("/")
    assert (aside / "anna/notes/edited here").read_text() == "edited since the crash"
    assert (night.home / "anna/notes/untouched").read_text() == "from a wrong clock here"
    assert post.missing(night.home) == []


def test_what_was_changed_here_under_a_wrong_clock_is_put_aside(night: Night) -> None:
    """The mirror's clock was behind while somebody worked: the times alone would lose his work."""
    write(night.home / "anna/notes/edited there", "this morning's work", age=400 * DAY)
    report = night.restored()
    aside = night.running / report.replaced[0].lstrip("/")
    assert (aside / "anna/notes/edited there").read_text() == "this morning's work"
    assert of(report, "anna").doubtful == ("anna/notes/edited there",)


def test_things_of_another_kind_here_are_not_touched(night: Night) -> None:
    victim = night.folder / "victim"
    victim.mkdir()
    notes = night.home / "anna/notes"
    notes.rename(night.home / "anna/old-notes")
    notes.symlink_to(victim)
    report = night.restored()
    assert list(victim.iterdir()) == [], "a link of a user's leads out of his home"
    assert "anna/notes" in of(report, "anna").other_kind
    assert os.readlink(notes) == str(victim)


def test_newer_links_stay_though_rsync_would_replace_them(night: Night) -> None:
    with night.alive() as alive:
        (alive / "home/anna/current").symlink_to("old")
        os.utime(alive / "home/anna/current", (1, 1), follow_symlinks=False)
    (night.home / "anna/current").symlink_to("new")
    report = night.restored()
    assert os.readlink(night.home / "anna/current") == "new"
    assert "anna/current" in of(report, "anna").newer_here


def test_folders_that_are_here_keep_their_owner_and_mode(night: Night) -> None:
    (night.home / "anna").chmod(0o700)
    with night.alive() as alive:
        (alive / "home/anna").chmod(0o755)
    night.restored()
    assert stat.S_IMODE((night.home / "anna").stat().st_mode) == 0o700


def test_attributes_come_back_down_to_the_last(night: Night) -> None:
    with night.alive() as alive:
        odd = alive / "home/bela/odd"
        odd.mkdir()
        write(odd / "one", "x", age=5000.123456789)
        os.link(odd / "one", odd / "two")
        os.setxattr(odd / "one", "user.note", b"kept")
        sh("setfacl", "-m", "u:1000:r", str(odd / "one"))
        os.mkfifo(odd / "pipe")
        with (odd / "sparse").open("wb") as file:
            file.truncate(8 * MIB)
            file.seek(4 * MIB)
            file.write(b"island")
        Path(os.fsdecode(os.fsencode(odd) + b"/\xff\xfe")).write_bytes(b"3")
        os.utime(odd, (1e9, 1e9))
        wanted = tree_of(odd)
    report = night.restored()
    assert tree_of(night.home / "bela/odd") == wanted
    assert report.complete


def test_no_program_comes_back_with_rights(night: Night) -> None:
    """A disk that is plugged in, or an image, may be anybody's: root brings nobody's root home."""
    with night.alive() as alive:
        folder = alive / "home/bela/team"
        folder.mkdir()
        folder.chmod(0o2775)
        for name, mode in (("root", 0o4755), ("group", 0o2755), ("able", 0o755), ("plain", 0o750)):
            write(folder / name, "program", age=5000)
            (folder / name).chmod(mode)
        sh("setcap", "cap_setuid+ep", str(folder / "able"))
        os.setxattr(folder / "able", "user.note", b"kept")
    report = night.restored()
    here = night.home / "bela/team"
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in here.iterdir()}
    assert modes == {"root": 0o755, "group": 0o755, "able": 0o755, "plain": 0o750}
    assert os.listxattr(here / "able") == ["user.note"]
    assert stat.S_IMODE(here.stat().st_mode) == 0o2775, "what is made in it is the team's"
    (said,) = [note for note in report.notes if "without that bit" in note]
    assert said.startswith("2 set-user-ID or set-group-ID files")
    assert "/home/bela/team/root" in said
    assert "able" not in said


def test_inode_flags_come_back_and_a_file_that_is_locked_here_is_written(night: Night) -> None:
    notes = "anna/notes"
    with night.alive() as alive:
        sh("chattr", "+i", str(alive / "home" / notes / "edited there"))
        sh("chattr", "+d", str(alive / "home/zoe/first"))
    sh("chattr", "+i", str(night.home / notes / "edited there"), str(night.home / notes))

    assert night.restored().complete

    def flags(name: str) -> str:
        return sh("lsattr", "-d", str(night.home / name)).split()[0].replace("-", "")

    assert (night.home / notes / "edited there").read_text() == "edited before the crash"
    assert flags(f"{notes}/edited there") == "ie"
    assert flags(notes) == "ie"
    assert flags("zoe/first") == "de"


def test_a_user_who_lays_links_under_the_names_of_our_folders_is_in_nobodys_way(
    night: Night, post: Post
) -> None:
    victim = night.folder / "victim"
    victim.mkdir()
    for name in (RESTORE_FOLDER, REPLACED_FOLDER):
        (night.home / name).symlink_to(victim)
    report = night.restored(keep_replaced=True)
    assert post.missing(night.home) == []
    assert list(victim.iterdir()) == []
    (aside,) = report.replaced
    assert aside.startswith(f"/home/{REPLACED_FOLDER}~")
    assert list((night.running / aside.lstrip("/")).iterdir())
    assert (night.home / RESTORE_FOLDER).is_symlink()
    again = night.restored(keep_replaced=True)
    assert {told.user for told in again.users if told.comes} == set()


def test_read_errors_are_counted_and_the_rest_comes_back(night: Night, post: Post) -> None:
    """The end of the image is cut off under a loop device: reading there is an I/O error."""
    with night.alive() as alive:
        for number in range(3):
            (alive / f"home/anna/film{number}").write_bytes(os.urandom(30 * MIB))
    start, size = night.home_span
    device = sh("losetup", "--find", "--show", "--read-only", str(night.image)).strip()
    try:
        with night.alive() as alive:
            last = max(range(3), key=lambda n: _first_block(alive / f"home/anna/film{n}"))
            cut = start * MIB + (_first_block(alive / f"home/anna/film{last}") + 8192) * 1024
        assert cut < (start + size) * MIB
        os.truncate(night.image, cut)
        night.origin = device
        report = night.restored()
    finally:
        sh("losetup", "--detach", device)
    anna = of(report, "anna")
    assert anna.unreadable == (f"anna/film{last}",)
    assert not (night.home / f"anna/film{last}").exists(), "no half of a file"
    assert not report.complete
    assert post.missing(night.home) == []


def _first_block(path: Path) -> int:
    text = subprocess.run(
        ["filefrag", "-v", "-b1024", str(path)], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(":") for line in text.splitlines() if line.strip()[:1].isdigit()]
    return int(rows[0][2].split("..")[0])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_restore_that_was_cut_is_run_again_and_ends_right(
    night: Night, post: Post, how: signal.Signals
) -> None:
    with night.alive() as alive:
        write(alive / "home/bela/film", "", age=3600)
        (alive / "home/bela/film").write_bytes(os.urandom(60 * MIB))
        os.utime(alive / "home/bela/film", (time.time() - 3600,) * 2)
        post.deliver(alive / "home", "bela", range(300, 700), age=1800)
        wanted = tree_of(alive / "home/bela/Maildir/new")
    write(night.home / "bela/film", "short, last night", age=DAY)
    night.night_is_over()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        try:
            night.restored()
        finally:
            os._exit(0)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        sizes = _sizes(night.home)
        if sizes and max(sizes) > 1 * MIB:
            break
        time.sleep(0.002)
    else:
        pytest.fail("the copy was never seen growing")
    os.killpg(child, how)
    os.waitpid(child, 0)
    while _is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    film = night.home / "bela/film"
    cut = film.stat().st_size
    assert cut in (len("short, last night"), 60 * MIB), "a file is there whole or not at all"

    report = night.restored()

    assert report.complete
    assert film.stat().st_size == 60 * MIB
    assert post.missing(night.home) == []
    assert not list(night.home.glob(f"{RESTORE_FOLDER}*"))
    there = tree_of(night.home / "bela/Maildir/new")
    assert {name: facts for name, facts in there.items() if name in wanted and name != "."} == {
        name: facts for name, facts in wanted.items() if name != "."
    }


def _sizes(folder: Path) -> list[int]:
    try:
        return [path.stat().st_size for path in folder.glob(f"{RESTORE_FOLDER}*/new/*")]
    except OSError:
        return []


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_journal_that_must_be_replayed_is_not_replayed_into_the_disk(night: Night) -> None:
    """The disk is copied while it is mounted: its newest files are in the journal alone."""
    with night.alive() as alive:
        write(alive / "home/anna/last", "written right before the crash", age=60)
        fd = os.open(alive / "home/anna/last", os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        shutil.copy(night.image, night.folder / "crashed.img")
    night.image = night.folder / "crashed.img"
    before = night.digest()
    plan = night.planned()
    assert plan.reads[0].reading in (Reading.REPLAYED, Reading.LOOKED)
    report = night.restored()
    assert night.digest() == before
    if plan.reads[0].reading is Reading.REPLAYED:
        assert (night.home / "anna/last").read_text() == "written right before the crash"
        assert report.complete
    else:
        assert not report.complete
        assert any("may be missing" in one.message for one in report.findings)


def test_a_wrong_file_system_in_the_place_of_home_is_refused(night: Night) -> None:
    settled = tree_of(night.running)
    pairs = tuple(
        replace(pair, mirror_uuid="f7e5ffff-0000-4000-8000-000000000000")
        if pair.mount_point == "/home"
        else pair
        for pair in night.record.filesystems
    )
    mirror = replace(night.record, filesystems=pairs)
    night.machine = replace(night.machine, running_mirror=mirror)
    with pytest.raises(ChildError, match="not mounted from the mirror"):
        night.restored()
    assert tree_of(night.running) == settled


def attached(night: Night) -> list[str]:
    """Return the loop devices over files of this night."""
    listed = sh("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines()
    return [line for line in listed if str(night.folder) in line]


def expect_attached(night: Night, expected: list[str]) -> None:
    """Wait until these alone are there: udev may still look at one that goes."""
    deadline = time.monotonic() + 10
    while attached(night) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    assert attached(night) == expected


def test_killed_at_any_moment_it_leaves_no_loop_device(night: Night) -> None:
    before = attached(night)
    for hundredths in range(0, 60, 4):
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            try:
                night.planned()
            finally:
                os._exit(0)
        time.sleep(hundredths / 100)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    expect_attached(night, before)


def test_nothing_stays_mounted_or_attached(night: Night) -> None:
    before = attached(night)
    night.restored()
    expect_attached(night, before)
    assert "/run/rescue/dead" not in Path("/proc/self/mountinfo").read_text()


def test_an_account_that_is_not_here_is_pointed_out(night: Night) -> None:
    (note,) = night.planned().notes
    assert "this system has no user 'zoe'" in note
    assert "useradd --uid 1234" in note


def test_findings_say_what_is_there(night: Night) -> None:
    plan = night.planned()
    assert [finding.severity for finding in plan.findings] == [Severity.OK, Severity.OK]
    assert "GPT table" in plan.findings[0].message
    assert "2 partitions" in plan.findings[0].message
    assert "intact" in plan.findings[1].message
