"""What people are told when a disk that was plugged in has had its run."""

from collections.abc import Callable

import pytest

from rescue.commands import hotplug as module
from rescue.commands.hotplug import mirror_hotplugged
from rescue.commands.mirror import MirrorOptions
from rescue.errors import AuditError, ExitCode, SkippedError
from rescue.system.notify import journal, people
from rescue.ui.screen import Screen


class Heard:
    """A journal, a mail system and terminals that keep what they are told."""

    def __init__(self) -> None:
        self.good: list[tuple[str, ExitCode]] = []
        self.alarms: list[str] = []
        self.walls: list[str] = []
        self.mails: list[str] = []


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    told = Heard()
    monkeypatch.setattr(
        journal, "report_success", lambda text, code, mirror: told.good.append((text, code))
    )
    monkeypatch.setattr(journal, "report_alarm", lambda text, mirror: told.alarms.append(text))
    monkeypatch.setattr(people, "wall", told.walls.append)
    monkeypatch.setattr(people, "can_mail", lambda: True)
    monkeypatch.setattr(people, "mail", told.mails.append)
    return told


def ends(monkeypatch: pytest.MonkeyPatch, run: Callable[..., ExitCode]) -> None:
    monkeypatch.setattr(module, "mirror", run)


def test_a_run_that_failed_is_told_as_failed_everywhere(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> ExitCode:
        raise AuditError("the mirror would not boot: no kernel")

    ends(monkeypatch, fails)
    with pytest.raises(AuditError):
        mirror_hotplugged(MirrorOptions(name="attic", hotplug=True), Screen())
    assert heard.good == []
    for said in (*heard.alarms, *heard.walls):
        assert "FAILED (exit code 15)" in said
        assert "can be removed" not in said
    (mail,) = heard.mails
    assert "Subject: rescue on" in mail
    assert "the run onto mirror 'attic' FAILED" in mail
    assert "can be removed" not in mail


@pytest.mark.parametrize("code", [ExitCode.DONE, ExitCode.DEGRADED])
def test_a_run_that_came_to_its_end_lets_the_disk_go(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, code: ExitCode
) -> None:
    ends(monkeypatch, lambda *_: code)
    assert mirror_hotplugged(MirrorOptions(name="attic", hotplug=True), Screen()) is code
    ((text, logged),) = heard.good
    assert logged is code
    assert "can be removed" in text
    assert ("DEGRADED" in text) is (code is ExitCode.DEGRADED)
    assert heard.alarms == []


def test_where_no_run_was_due_nobody_is_told(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    def skipped(*_: object) -> ExitCode:
        raise SkippedError("not its turn")

    ends(monkeypatch, skipped)
    with pytest.raises(SkippedError):
        mirror_hotplugged(MirrorOptions(name="attic", hotplug=True), Screen())
    assert (heard.good, heard.alarms, heard.walls, heard.mails) == ([], [], [], [])
