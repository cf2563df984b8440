from dataclasses import replace
from pathlib import Path

import pytest

from rescue.model.storage.filesystem import FsKind
from rescue.system.rsync.complaints import is_of_the_way, parse_complaints
from rescue.system.rsync.exit_codes import Ending, meaning
from rescue.system.rsync.filters import matcher
from rescue.system.rsync.progress import Advance, Listener
from rescue.system.rsync.rsync import (
    SyncJob,
    escape,
    estimate_argv,
    leaving_links_to_the_kernel,
    sync_argv,
)

JOB = SyncJob(source=Path("/w/source/0"), target=Path("/w/mirror/0"), kind=FsKind.EXT4)
POLITE = ["nice", "-n", "19", "ionice", "-c", "3", "rsync"]
OUTPUT = ["--8-bit-output", "--no-human-readable", "--outbuf=Line", "--stats"]
OUTPUT += ["--out-format=%i|%l|%n"]


def test_nightly_command_renames_and_deletes_at_the_end() -> None:
    job = replace(JOB, protect=("/.rescue/", "/boot/initrd.img-*"), prune_last=("/boot",))
    job = replace(job, partial=".rescue~drawn")
    assert sync_argv(job) == [
        *POLITE,
        "-aHAXS",
        "--numeric-ids",
        "--modify-window=-1",
        "--one-file-system",
        "--open-noatime",
        *OUTPUT,
        "--delete-delay",
        "--delay-updates",
        "--partial-dir=.rescue~drawn",
        "--info=progress2",
        "--filter=-p .rescue~drawn",
        "--filter=- /.rescue/",
        "--filter=- /boot/initrd.img-*",
        "--filter=P /boot",
        "--filter=P /boot/**",
        "/w/source/0/",
        "/w/mirror/0/",
    ]


def test_without_a_name_for_it_no_new_content_waits() -> None:
    assert not [word for word in sync_argv(JOB) if "partial" in word or "delay-updates" in word]


def test_a_version_that_walks_paths_by_itself_is_told_to_ask_the_kernel() -> None:
    argv = sync_argv(JOB)
    for older in ((0, 0), (3, 2), (3, 4)):
        assert leaving_links_to_the_kernel(argv, older) == argv
    for later in ((3, 5), (3, 10), (4, 0)):
        told = leaving_links_to_the_kernel(argv, later)
        assert told == [*argv[:7], "--insecure-links", *argv[7:]]
        assert told[6] == "rsync"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('rsync: [receiver] rename "/h/.x" -> "a/b": Too many levels of symbolic links (40)', True),
        ('rsync: [generator] mkdir "a" failed: No such file or directory (2)', True),
        ('rsync: [receiver] mkstemp "a" failed: Not a directory (20)', True),
        ('rsync: [receiver] write failed on "a": Input/output error (5)', False),
        ('rsync: [receiver] write failed on "a (2) b": No space left on device (28)', False),
    ],
)
def test_what_lay_on_the_way_is_told_from_what_a_disk_did(line: str, expected: bool) -> None:
    assert is_of_the_way(line) is expected


def test_first_copy_deletes_nothing() -> None:
    assert not [word for word in sync_argv(replace(JOB, first=True)) if "delete" in word]


def test_vfat_is_asked_for_nothing_it_cannot_keep() -> None:
    argv = sync_argv(replace(JOB, kind=FsKind.VFAT))
    assert argv[7:10] == ["-rt", "--modify-window=1", "--omit-dir-times"]
    assert "-aHAXS" not in argv


def test_estimate_cannot_write() -> None:
    argv = estimate_argv(replace(JOB, prune_last=("/boot",)))
    assert "--dry-run" in argv
    assert "--delete-delay" in argv
    assert "--filter=P /boot/**" in argv


def test_checksum_and_paths() -> None:
    argv = sync_argv(replace(JOB, checksum=True, paths=("/home/ann", "/etc/x*")))
    assert "--checksum" in argv
    assert argv[-5:] == [
        "--relative",
        "--delete-missing-args",
        "/w/source/0/./home/ann",
        "/w/source/0/./etc/x*",
        "/w/mirror/0/",
    ]


def test_late_root_protects_everything_and_literals_are_escaped() -> None:
    assert [w for w in sync_argv(replace(JOB, prune_last=("/",))) if w.startswith("--filter")] == [
        "--filter=P /**"
    ]
    assert escape("/a[b]*?\\") == "/a\\[b]\\*\\?\\\\"


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        (0, Ending.DONE),
        (23, Ending.PARTIAL),
        (24, Ending.VANISHED),
        (11, Ending.FAILED),
        (20, Ending.FAILED),
        (127, Ending.FAILED),
        (-15, Ending.FAILED),
        (99, Ending.FAILED),
    ],
)
def test_exit_codes(code: int, ending: Ending) -> None:
    assert meaning(code)[0] is ending


def test_complaints_are_told_apart_by_whose_fault_they_are() -> None:
    said = (
        'file has vanished: "/w/source/0/tmp/a"\n'
        'rsync: [sender] send_files failed to open "/w/source/0/etc/b": Permission denied (13)\n'
        'rsync: [sender] read errors mapping "/w/source/0/c d": Input/output error (5)\n'
        "rsync error: some files/attrs were not transferred (code 23) at main.c(1338) [sender]"
    )
    seen = parse_complaints(said, source=Path("/w/source/0"), shown_as="/srv")
    assert seen.vanished == ("/srv/tmp/a",)
    assert seen.unreadable == ("/srv/etc/b", "/srv/c d")
    assert seen.unwritable == ()
    assert not seen.full


def test_full_mirror_is_no_unreadable_source() -> None:
    said = (
        'rsync: [receiver] mkstemp "/w/mirror/0/.x.Ab" failed: No space left on device (28)\n'
        "rsync error: some files/attrs were not transferred (code 23) at main.c(1338) [sender]"
    )
    seen = parse_complaints(said, source=Path("/w/source/0"), shown_as="/")
    assert seen.full
    assert seen.unreadable == ()
    assert len(seen.unwritable) == 1


def test_output_is_counted() -> None:
    far: list[Advance] = []
    listener = Listener(far.append)
    for line in (
        "          32768   1%    0.00kB/s    0:00:00  ",
        "        3000000  99%  943.26MB/s    0:00:00 (xfr#1, to-chk=9/12)",
        "        3000005 100%    1.00MB/s    0:00:01  ",
        ">f+++++++++|3000000|Number of files: 99",
        ">f.st......|9|a",
        ".f...p.....|2|sub/b",
        "hf.s.......|9|h",
        "*deleting  |0|gone/z",
        "",
        "Number of files: 12 (reg: 7, dir: 3, link: 1, special: 1)",
        "Number of created files: 11 (reg: 7, dir: 2, link: 1, special: 1)",
        "Number of deleted files: 3 (reg: 1, dir: 1, special: 1)",
        "Number of regular files transferred: 6",
        "Total file size: 3000019 bytes",
        "Total transferred file size: 3000012 bytes",
    ):
        listener.line(line)
    assert far == [
        Advance(bytes_done=32768, share=0.01, rate="0.00kB/s"),
        Advance(bytes_done=3000000, share=0.99, rate="943.26MB/s", files_seen=3, files_listed=12),
        # In the middle of a file rsync does not say how many there are: it stays what it was.
        Advance(bytes_done=3000005, share=1.0, rate="1.00MB/s", files_seen=3, files_listed=12),
    ]
    tally = listener.tally
    assert (tally.files_total, tally.created, tally.changed) == (12, 11, 1)
    assert (tally.bytes_changed, tally.deletions) == (3000012, 3)


def test_a_limit_on_bandwidth_is_given_only_where_there_is_one() -> None:
    job = SyncJob(source=Path("/s"), target=Path("/m"), kind=FsKind.EXT4)
    assert not [word for word in sync_argv(job) if word.startswith("--bwlimit")]
    assert "--bwlimit=2048" in sync_argv(replace(job, bandwidth_kib=2048))


def test_a_source_that_is_not_trusted_deletes_nothing() -> None:
    job = replace(JOB, deletions=False, prune_last=("/boot",), paths=("/etc/x",), partial="p")
    for argv in (sync_argv(job), estimate_argv(job)):
        assert not [word for word in argv if word.startswith("--delete") or word == "--force"]
        assert "--ignore-missing-args" in argv
    assert "--delay-updates" in sync_argv(job)


def test_errors_of_reading_never_let_deletions_go_on() -> None:
    for job in (JOB, replace(JOB, checksum=True), replace(JOB, first=True)):
        assert "--ignore-errors" not in [*sync_argv(job), *estimate_argv(job)]


@pytest.mark.parametrize(
    ("line", "failing"),
    [
        ('rsync: [sender] read errors mapping "/w/source/0/a": Input/output error (5)', True),
        ('rsync: [sender] opendir "/w/source/0/a" failed: Structure needs cleaning (117)', True),
        ('rsync: [sender] readlink_stat("/w/source/0/a") failed: Bad message (74)', True),
        (
            'rsync: [sender] send_files failed to open "/w/source/0/a": Permission denied (13)',
            False,
        ),
        ("ERROR: a failed verification -- update discarded.", False),
    ],
)
def test_a_disk_that_cannot_be_read_is_told_from_a_file(line: str, failing: bool) -> None:
    said = parse_complaints(line, source=Path("/w/source/0"), shown_as="/home")
    assert said.failing is failing
    assert said.unreadable
    assert not said.unwritable


def test_a_folder_that_may_not_be_deleted_is_named() -> None:
    said = parse_complaints(
        "could not make way for new regular file: ann/folder\n",
        source=Path("/w/source/0"),
        shown_as="/home",
    )
    assert said.kept == ("/home/ann/folder",)
    assert not said.unwritable


@pytest.mark.parametrize(
    ("pattern", "path", "excluded"),
    [
        ("/.rescue/", "/.rescue/mirror.json", True),
        ("/.rescue/", "/.rescue", False),
        ("/etc/fstab", "/etc/fstab", True),
        ("/etc/fstab", "/etc/fstab.d/a", False),
        ("/etc/fstab", "/srv/etc/fstab", False),
        ("/boot/initrd.img-*", "/boot/initrd.img-6.1", True),
        ("/boot/initrd.img-*", "/boot/initrd.img-6.1/below", True),
        ("/EFI/*/grub.cfg", "/EFI/a/b/grub.cfg", False),
        ("/EFI/*/grub.cfg", "/EFI/debian/grub.cfg", True),
        ("/swap\\[1\\]*", "/swap[1]file", True),
        ("/swap\\x", "/swap\\x", True),
        ("/a?[bc].d", "/axb.d", True),
        ("/a?[!bc].d", "/axb.d", False),
        ("/a?[!bc]]d", "/ax]]d", True),
        ("/a**z", "/a/b/z", True),
        ("/new\nline*", "/new\nline 2", True),
        ("/[?-/]", "/@", False),
        ("/[?-/]", "/?", True),
        ("/[,-/]", "/-", True),
        ("/[,-/]*", "/-a/b", True),
        ("/[z-a]", "/b", False),
        ("/[a", "/a", False),
        ("/a\\", "/a\\", True),
        ("/?\\", "/a\\", False),
        ("/[[:digit:]_]", "/7", True),
        ("/[[:none:]_]", "/_", False),
        ("/?", "/\xe4", False),
        ("/??", "/\xe4", True),
        ("/?", "/\udce4", True),
    ],
)
def test_what_rsync_leaves_out_is_left_out_of_every_other_look(
    pattern: str, path: str, *, excluded: bool
) -> None:
    assert matcher((pattern,))(path) is excluded


def test_a_name_cannot_complain_of_the_mirror() -> None:
    # Any user can call a file so: a line separator, and what rsync says of a disk that is full.
    full = 'rsync: [receiver] write failed on "/w/mirror/0/x": No space left on device (28)'
    for separator in "\u2028\x85":
        name = f"tmp/a{separator}{full}"
        said = f'file has vanished: "/w/source/0/{name}"\n'
        seen = parse_complaints(said, source=JOB.source, shown_as="/")
        assert (seen.full, seen.unwritable) == (False, ())
        assert seen.vanished == (f"/{name}",)


def test_a_folder_whose_name_ends_like_an_error_is_no_full_mirror() -> None:
    said = "could not make way for new regular file: home/anna/a (28)\n"
    seen = parse_complaints(said, source=JOB.source, shown_as="/")
    assert (seen.full, seen.kept) == (False, ("/home/anna/a (28)",))


def test_a_run_that_deletes_no_more_says_so() -> None:
    for line, stopped in (
        ("IO error encountered -- skipping file deletion", True),
        (">f+++++++++|0|IO error encountered -- skipping file deletion", False),
    ):
        listener = Listener(lambda _: None)
        listener.line(line)
        assert listener.tally.stopped is stopped
