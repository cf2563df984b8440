"""Rehearsals are filed whole, the newest ones only; a failback's seconds are read from them."""

from dataclasses import replace
from pathlib import Path

from rescue.model.rehearsal import DrillResult
from rescue.rehearsal.store import KEPT, RESULT, file_result, filed, rehearsed_failback
from tests.unit.rehearsal.test_rehearsal_verdict import home, night, result

DAY = 86_400.0


def on_day(number: int, *, mirror: str = "cellar", emulated: bool = False) -> DrillResult:
    good = result(night(), home())
    started = good.started + number * DAY
    return replace(good, started=started, mirror=mirror, emulated=emulated)


def test_what_was_filed_is_found_again_with_its_papers(tmp_path: Path) -> None:
    folder = file_result(on_day(0), {"night.console.log": b"Welcome"}, tmp_path)
    assert folder.name == "20231115T001320Z-cellar"
    assert (folder / "night.console.log").read_bytes() == b"Welcome"
    assert (folder / RESULT).stat().st_mode & 0o777 == 0o600
    assert filed(tmp_path) == (on_day(0),)


def test_the_newest_comes_first_and_the_oldest_go(tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        file_result(on_day(number), {}, tmp_path)
    assert filed(tmp_path) == tuple(on_day(number) for number in range(KEPT + 2, 2, -1))


def test_each_mirror_has_its_own(tmp_path: Path) -> None:
    file_result(on_day(0), {}, tmp_path)
    file_result(on_day(1, mirror="attic"), {}, tmp_path)
    assert [each.mirror for each in filed(tmp_path)] == ["attic", "cellar"]
    assert filed(tmp_path, mirror="cellar") == (on_day(0),)


def test_what_is_damaged_cut_or_newer_is_left_out(tmp_path: Path) -> None:
    for number, text in enumerate(("{", '{"version": 99}', "")):
        folder = file_result(on_day(number), {}, tmp_path)
        (folder / RESULT).write_text(text)
    (tmp_path / "20990101T000000Z-cut").mkdir()
    assert filed(tmp_path) == ()
    assert filed(tmp_path / "nowhere") == ()


def test_a_failback_takes_both_its_passes_and_counts_only_where_it_was_real(
    tmp_path: Path,
) -> None:
    assert rehearsed_failback("cellar", tmp_path) is None
    file_result(on_day(1, emulated=True), {}, tmp_path)
    assert rehearsed_failback("cellar", tmp_path) is None
    file_result(on_day(0), {}, tmp_path)
    assert rehearsed_failback("cellar", tmp_path) == 20.0
    unfinished = result(night(without="done again"))
    file_result(replace(unfinished, started=on_day(2).started, emulated=False), {}, tmp_path)
    assert rehearsed_failback("cellar", tmp_path) == 20.0


def test_a_result_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    folder = file_result(on_day(0), {}, tmp_path)
    (folder / RESULT).write_bytes(b'{"version": 1, "\xff": 1}')
    assert filed(tmp_path) == ()
