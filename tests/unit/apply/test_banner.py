"""What a machine on its mirror says to whoever logs in."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from rescue.apply.banner import banner, banners, show_handed_over
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.storage.identity import DiskId
from rescue.store.records import save_marker
from tests.builders import enrolled


def record() -> MirrorRecord:
    return replace(enrolled().record, state=MirrorState.COMPLETE, last_complete=1_700_000_000.0)


@pytest.mark.parametrize("name", ["motd", "issue"])
@pytest.mark.parametrize("handed_over", [False, True])
def test_every_name_is_filled_in(name: str, handed_over: bool) -> None:
    text = banner(name, record(), handed_over=handed_over)
    assert "$" not in text
    assert "server" in text
    assert "MIR0001" in text
    assert "2023-11-14 22:13 UTC" in text
    assert "rescue status" in text or handed_over


def test_the_way_on_is_named() -> None:
    text = banner("motd", record())
    assert all(f"rescue {verb}" in text for verb in ("status", "restore", "failback"))
    assert "rescue failback SRC0001" in banner("motd", record(), handed_over=True)


def test_a_run_that_was_cut_is_said() -> None:
    text = banner("motd", replace(record(), state=MirrorState.RUNNING))
    assert "did NOT come to its end (last complete: 2023-11-14 22:13 UTC)" in text
    never = banner("issue", replace(record(), state=MirrorState.RUNNING, last_complete=0.0))
    assert "no complete run" in never


def test_what_a_disk_calls_itself_gives_agetty_no_orders() -> None:
    given = record()
    odd = replace(given, mirror=replace(given.mirror, id=DiskId(serial="A\\d\x1b[2J")))
    assert "Adx1b[2J" in banner("issue", odd)


def test_it_lies_beside_the_marker_for_root_alone(tmp_path: Path) -> None:
    save_marker(tmp_path, record(), banners(record()))
    first = (tmp_path / ".rescue/motd").stat()
    save_marker(tmp_path, record(), banners(record()))
    assert (tmp_path / ".rescue/motd").stat().st_ino == first.st_ino
    assert first.st_mode & 0o777 == 0o600
    assert (tmp_path / ".rescue/issue").read_text() == banner("issue", record())


def test_after_a_failback_the_running_system_says_so(tmp_path: Path) -> None:
    show_handed_over(tmp_path, record())
    assert "STILL runs from its mirror" in (tmp_path / "run/motd.d/rescue").read_text()
    shown = tmp_path / "run/issue.d/rescue.issue"
    assert shown.stat().st_mode & 0o777 == 0o644


def test_the_unit_shows_what_is_written() -> None:
    unit = files("rescue").joinpath("templates", "rescue-booted.service").read_text()
    assert "/.rescue/motd /run/motd.d/rescue" in unit
    assert "/.rescue/issue /run/issue.d/rescue.issue" in unit
    assert "mount --bind /run/issue.d /etc/issue.d" in unit
    # Before the first login prompt: each getty waits for this one (man 5 systemd-user-sessions).
    assert "Before=systemd-user-sessions.service" in unit
