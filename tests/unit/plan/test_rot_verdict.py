"""Which side has rotted: every case, what becomes of it, and what is said."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.model.mirror.plan import PLAN_VERSION, Plan, PlanKind
from rescue.model.mirror.step import PruneTree, SyncTree, TakeContent
from rescue.model.run.rot import SETTLED_NS, Doubt, Known, Rewritten, Suspect, Verdict
from rescue.plan.rot import (
    check_suspects,
    judge,
    refused_comparison,
    verdict,
    with_comparison,
    with_rewritten,
)
from rescue.printable import printable
from rescue.store.codec import from_json, to_json
from rescue.system.rsync.sums import compare_argv, digests_argv, parse_compared, take_argv
from rescue.ui.rot import suspect_counts, suspect_hints, suspect_line
from tests.builders import enrolled
from tests.unit.system.test_rsync import JOB

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
KNOWN = Known(size=3, mtime_ns=1, ctime_ns=5, digest=A)
DOUBT = Doubt(path="/home/ann/mail", source=A, mirror=B, known=KNOWN, ctime_ns=5)


@pytest.mark.parametrize(
    ("source", "mirror", "known", "said"),
    [
        (A, A, None, None),
        (A, A, A, None),
        (A, A, B, None),
        (A, B, A, Verdict.MIRROR),
        (B, A, A, Verdict.SOURCE),
        (B, C, A, Verdict.BOTH),
        (A, B, None, Verdict.UNKNOWN),
        (A, None, A, Verdict.MIRROR),
        (A, None, None, Verdict.MIRROR),
        (B, None, A, Verdict.BOTH),
        (None, A, A, Verdict.UNREADABLE),
        (None, A, None, Verdict.UNREADABLE),
        (None, None, A, Verdict.UNREADABLE),
    ],
)
def test_the_recorded_digest_says_which_side_changed(
    source: bytes | None, mirror: bytes | None, known: bytes | None, said: Verdict | None
) -> None:
    assert verdict(source, mirror, known) is said


SIDE = st.sampled_from([None, A, B, C])


@given(source=SIDE, mirror=SIDE, known=SIDE)
def test_a_good_copy_is_never_overwritten_without_a_word(
    source: bytes | None, mirror: bytes | None, known: bytes | None
) -> None:
    held = Known(size=3, mtime_ns=1, ctime_ns=5, digest=known) if known else None
    doubt = Doubt(path="/x", source=source, mirror=mirror, known=held, ctime_ns=5)
    for each in judge([doubt], accepted=()):
        if each.taken:
            assert source is not None
            assert mirror != known or mirror is None
            assert source == known or mirror is None


@given(source=SIDE, mirror=SIDE, known=SIDE)
def test_accepted_is_what_can_be_read_and_differs(
    source: bytes | None, mirror: bytes | None, known: bytes | None
) -> None:
    held = Known(size=3, mtime_ns=1, ctime_ns=5, digest=known) if known else None
    doubt = Doubt(path="/x/y", source=source, mirror=mirror, known=held, ctime_ns=5)
    said = judge([doubt], accepted=("/x",))
    assert [each.taken for each in said] == (
        [source is not None] if source != mirror or not source else []
    )


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        (("/home/ann/mail",), True),
        (("/home",), True),
        (("/",), True),
        (("/home/ann/mai", "/home/bela"), False),
        ((), False),
    ],
)
def test_a_path_is_accepted_with_all_below_it(accepted: tuple[str, ...], taken: bool) -> None:
    (one,) = judge([replace(DOUBT, known=None)], accepted=accepted)
    assert (one.taken, one.accepted) == (taken, taken)


def test_a_program_that_set_the_time_back_is_told_from_a_disk() -> None:
    (by_disk,) = judge([replace(DOUBT, source=C, mirror=A)], accepted=())
    (by_hand,) = judge([replace(DOUBT, source=C, mirror=A, ctime_ns=7 * 10**9)], accepted=())
    assert "no program wrote to it" in suspect_line(by_disk)
    assert "something wrote to it at 1970-01-01 00:00 UTC" in suspect_line(by_hand)


@pytest.mark.parametrize(
    ("mtime", "ctime", "settled"),
    [
        (-3, -3, True),
        (-1, -3, False),
        (-3, -1, False),
        (+9, -3, True),
        (+9, -1, False),
    ],
)
def test_a_file_that_is_being_written_is_not_known(mtime: int, ctime: int, settled: bool) -> None:
    begun, minute = 10**18, SETTLED_NS // 2
    file = Known(size=1, mtime_ns=begun + mtime * minute, ctime_ns=begun + ctime * minute, digest=A)
    assert file.is_settled(begun_ns=begun) is settled


def plan() -> Plan:
    record = enrolled().record
    steps = (
        SyncTree(mount_point="/", checksum=True),
        SyncTree(mount_point="/home", checksum=True),
        PruneTree(mount_point="/", prune_last=("/boot",)),
    )
    return Plan(kind=PlanKind.MIRROR, target_path="/dev/vdb", record=record, steps=steps)


def test_after_a_comparison_contents_are_taken_by_name_alone() -> None:
    suspects = (
        Suspect(path="/home/ann/mail", verdict=Verdict.MIRROR, taken=True),
        Suspect(path="/etc/x", verdict=Verdict.SOURCE, taken=False),
        Suspect(path="/home/bela/\udcff", verdict=Verdict.UNKNOWN, taken=True),
    )
    after = with_comparison(plan(), suspects)
    assert after.steps == (
        TakeContent(mount_point="/home", paths=("/ann/mail", "/bela/\udcff")),
        SyncTree(mount_point="/"),
        SyncTree(mount_point="/home"),
        PruneTree(mount_point="/", prune_last=("/boot",)),
    )
    assert after.compared
    assert after.suspects == suspects
    again = from_json(to_json(after), Plan, known_version=PLAN_VERSION, where="a test")
    assert again == after


def test_where_nothing_differs_there_is_no_such_step() -> None:
    assert not [s for s in with_comparison(plan(), ()).steps if isinstance(s, TakeContent)]


def test_a_file_that_cannot_be_read_ends_the_deletions_of_the_whole_run() -> None:
    lost = Suspect(path="/etc/x", verdict=Verdict.UNREADABLE, taken=False)
    after = with_comparison(plan(), (lost, lost))
    assert after.steps == (
        SyncTree(mount_point="/", deletions=False),
        SyncTree(mount_point="/home", deletions=False),
    )
    assert after.failing_source == ("2 of its files cannot be read completely",)


def test_too_many_are_a_failing_disk_unless_a_person_says_so() -> None:
    waiting = Suspect(path="/x", verdict=Verdict.MIRROR, taken=True)
    accepted = Suspect(path="/y", verdict=Verdict.UNKNOWN, taken=True)
    assert check_suspects((waiting,) * 3, most=3) is None
    assert check_suspects((accepted,) * 9, most=3) is None
    refusal = check_suspects((waiting,) * 4, most=3)
    assert refusal is not None
    assert refusal.code == 13


def test_a_comparison_that_is_not_believed_is_followed_by_a_run_that_only_adds() -> None:
    waiting = Suspect(path="/x", verdict=Verdict.MIRROR, taken=True)
    after = refused_comparison(plan(), (waiting,) * 20_000, "too many")
    assert after.steps == (
        SyncTree(mount_point="/", deletions=False),
        SyncTree(mount_point="/home", deletions=False),
    )
    assert after.failing_source == ("too many",)
    # Nothing of it was taken, and a week goes by until the next one.
    assert after.compared
    assert len(after.suspects) == 1000
    assert not any(each.taken for each in after.suspects)
    assert "was not rewritten" in suspect_line(after.suspects[0])


def test_what_a_program_rewrote_is_taken_before_the_others() -> None:
    found = Rewritten(begun=5.0, files={"/home": ("/ann/safe",), "/srv": ("/not copied",)})
    after = with_rewritten(plan(), found)
    assert after.steps[0] == TakeContent(mount_point="/home", paths=("/ann/safe",))
    assert after.steps[1:] == plan().steps
    assert after.rewritten == found


def test_each_file_is_said_and_each_side_is_counted() -> None:
    suspects = [
        Suspect(path="/a[b]", verdict=Verdict.MIRROR, taken=True),
        Suspect(path="/c\udcff", verdict=Verdict.SOURCE, taken=False),
        Suspect(path="/d", verdict=Verdict.BOTH, taken=False),
        Suspect(path="/e", verdict=Verdict.UNKNOWN, taken=True),
        Suspect(path="/f", verdict=Verdict.UNREADABLE, taken=False),
    ]
    said = "\n".join(printable(suspect_line(each)) for each in suspects)
    assert "/a[b] had rotted on the MIRROR, and was rewritten" in said
    assert "/c\\xff has changed on the SOURCE" in said
    assert "/d has changed on BOTH sides" in said
    assert "/e: the source's content was accepted" in said
    assert "/f cannot be read completely on the SOURCE; the mirror keeps" in said
    assert "1 file rotted on the mirror and rewritten: check its disk, /a[b]" in "\n".join(
        suspect_counts(suspects)
    )
    assert "--accept-content" in suspect_hints(suspects)[0]
    assert suspect_hints(suspects[:1]) == []


@pytest.mark.parametrize(
    ("line", "path", "only_content", "there"),
    [
        (".f         |5|{}|a/b", "a/b", False, True),
        ("hf         |5|{}|a", "a", False, True),
        (">fc........|5|{}|a", "a", True, True),
        (">fc..p....x|5|{}|a", "a", True, True),
        (">fcst......|5|{}|a", "a", False, True),
        (">fc.t......|5|{}|a", "a", False, True),
        (">f+++++++++|5|{}|a|b", "a|b", False, False),
        (">fc........|5|{}|new\\#012line \\#134#012 \udcff", "new\nline \\#012 \udcff", True, True),
    ],
)
def test_a_line_of_the_comparison_is_read(
    line: str, path: str, only_content: bool, there: bool
) -> None:
    seen = parse_compared(line.format("ab" * 16))
    assert seen is not None
    assert (seen.path, seen.only_content, seen.there) == (path, only_content, there)
    assert (seen.size, seen.digest) == (5, b"\xab" * 16)


@pytest.mark.parametrize(
    "line", [".d..t......|4096||d/", "Number of files: 3", "cL+++++++++|1||link", ""]
)
def test_what_is_no_file_is_no_digest(line: str) -> None:
    assert parse_compared(line) is None


def test_commands_name_the_algorithm_and_only_one_writes() -> None:
    job = replace(JOB, checksum=True)
    looking = compare_argv(job)
    listing = digests_argv(Path("/w/source/0"), Path("/run/names"), empty=Path("/w/empty"))
    taking = take_argv(job, Path("/run/names"))
    for argv in (looking, listing):
        assert "--dry-run" in argv
        assert "--checksum-choice=xxh128" in argv
    for argv in (looking, listing, taking):
        assert "--checksum" in argv
        assert "--ignore-errors" not in argv
    assert "--dry-run" not in taking
    assert not [word for word in taking if word.startswith("--delete")]
