"""The recovery page: everything that a person needs on the night, and nothing that can mislead."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from rescue.model.mirror.record import MirrorState
from rescue.model.storage.disk import TableKind
from rescue.model.storage.identity import DiskId
from rescue.ui.recovery_page import RecoveryPage, recovery_page
from tests.builders import Enrolled, enrolled, with_disk

NIGHT = 1795490100.0  # 2026-11-24 03:15 UTC


def after_a_run(kind: TableKind = TableKind.GPT) -> Enrolled:
    found = enrolled(kind)
    record = replace(found.record, state=MirrorState.COMPLETE, last_complete=NIGHT)
    return replace(found, record=record)


def page(kind: TableKind = TableKind.GPT) -> RecoveryPage:
    found = after_a_run(kind)
    return recovery_page(found.machine, found.record)


class Words(HTMLParser):
    """What a browser shows of a page, and the tags that were left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    @property
    def text(self) -> str:
        return "".join(self.shown)


@pytest.mark.parametrize("kind", list(TableKind))
def test_both_forms_name_every_disk_partition_and_command(kind: TableKind) -> None:
    found = after_a_run(kind)
    made = recovery_page(found.machine, found.record)
    wanted = ["server", "SRC0001", "MIR0001", "6.0 GiB", "2026-11-24 03:15 UTC", "/home"]
    wanted += ["rescue status", "rescue restore", "rescue failback DISK", "rescue disks"]
    wanted += ["Boot the mirror of server, complete 2026-11-24 03:15 UTC (MIR0001)"]
    wanted += [uuid for p in found.record.filesystems for uuid in (p.source_uuid, p.mirror_uuid)]
    wanted += [found.record.source.table_uuid, found.record.mirror.table_uuid]
    for form in (made.text, Words(made.html).text):
        assert [each for each in wanted if each not in form] == []
        assert "$" not in form


def test_the_html_is_whole_and_loads_nothing_from_elsewhere() -> None:
    html = page().html
    assert Words(html).open == []
    for hole in ("http:", "https:", "<script", "<img", "<link", "src="):
        assert hole not in html


def test_names_are_text_and_never_markup() -> None:
    found = after_a_run()
    nasty = '<b>&"$name'
    record = replace(found.record, host=nasty)
    disk = replace(found.machine.disks[0], model="<script>alert(1)</script>")
    made = recovery_page(with_disk(found.machine, disk), record)
    assert f"RECOVERY PAGE OF {nasty}\n" in made.text
    assert "<script" not in made.html
    words = Words(made.html)
    assert words.open == []
    assert f"{nasty}: when the first disk is dead" in words.text


def test_the_text_fits_a_console() -> None:
    assert max(map(len, page().text.splitlines())) <= 80


def test_disks_that_are_away_are_told_by_their_records() -> None:
    found = after_a_run()
    other = replace(
        found.record,
        name="even",
        mirror=replace(found.record.mirror, id=DiskId(serial="EVEN01"), table_uuid="e"),
    )
    made = recovery_page(found.machine, found.record, others=(other, found.record))
    assert made.text.count("EVEN01") == 1
    assert "not attached" in made.text
    assert made.text.count("mirror MIR0001") == 1


def test_the_same_run_gives_the_same_page() -> None:
    assert page() == page()


def test_a_mirror_without_a_complete_run_says_never() -> None:
    found = enrolled()
    assert "Last complete run: never" in recovery_page(found.machine, found.record).text
