"""Mistakes in the configuration: all of them at once, each with its value and what is allowed."""

import pytest

from rescue.cli import outcome
from rescue.errors import ExitCode
from rescue.model.fault import Fault, FaultsError
from rescue.model.proof import ProofSettings
from rescue.store import config
from rescue.ui.screen import Screen

HEAD = """
version = 1
[source]
table_uuid = "11111111-2222-3333-4444-555555555555"
"""


def faults(text: str) -> dict[str, Fault]:
    with pytest.raises(FaultsError) as caught:
        config.parse(HEAD + text, where="rescue.toml")
    assert caught.value.code is ExitCode.USAGE
    assert all(each.said in caught.value.message for each in caught.value.faults)
    return {each.key: each for each in caught.value.faults}


def test_mistakes_of_every_section_are_told_at_once() -> None:
    found = faults(
        """
[[mirror]]
name = "a/b"
interval_hours = -1
disk = { table_uuid = "x" }
[run]
brake_share = 7
overdue_hours = 0
[schedule]
at = "3:15"
notify = "a b"
[[hook]]
when = "before"
timeout_seconds = 0
[alarm]
history_runs = 0
[prove]
memory_mib = 1
"""
    )
    assert {key: each.found for key, each in found.items()} == {
        "mirror[0].name": "is 'a/b'",
        "mirror[0].interval_hours": "is -1",
        "run.brake_share": "is 7",
        "run.overdue_hours": "is 0",
        "schedule.at": "is '3:15'",
        "schedule.notify": "is 'a b'",
        "hook[0].command": "",
        "hook[0].timeout_seconds": "is 0",
        "alarm.history_runs": "is 0",
        "prove.memory_mib": "is 1",
    }
    assert found["run.brake_share"].allowed == "above 0 and at most 1"


def test_what_cannot_be_read_hides_no_mistake_beside_it() -> None:
    found = faults(
        """
[run]
brake_count = "many"
brake_shar = 0.5
overdue_hours = -1
[schedule]
checksum_day = "caturday"
at = "24:00"
[[hook]]
when = "during"
timeout_seconds = 0
command = ["true"]
[[hook]]
command = ["true"]
[[mirror]]
interval_hours = -1
"""
    )
    assert {key: each.found for key, each in found.items()} == {
        "run.brake_count": "is 'many'",
        "run.brake_shar": "is unknown",
        "run.overdue_hours": "is -1",
        "schedule.checksum_day": "is 'caturday'",
        "schedule.at": "is '24:00'",
        "hook[0].when": "is 'during'",
        "hook[1].when": "is missing",
        "mirror[0].name": "is missing",
        "mirror[0].disk": "is missing",
    }
    assert found["run.brake_count"].allowed == "a whole number"
    assert found["schedule.checksum_day"].allowed.startswith("'monday', 'tuesday'")
    assert found["hook[1].when"].allowed == "'before' or 'after'"
    assert "'brake_share'" in found["run.brake_shar"].allowed


@pytest.mark.parametrize(
    ("text", "key", "is_", "allowed"),
    [
        ("[schedule]\nprove = 'no'", "schedule.prove", "is 'no'", "true or false"),
        ("[schedule]\nat = 315", "schedule.at", "is 315", "a text"),
        ("[prove]\ncpus = 2.7", "prove.cpus", "is 2.7", "a whole number"),
        ("[prove]\ncpus = true", "prove.cpus", "is true", "a whole number"),
        ("[run]\nbrake_share = nan", "run.brake_share", "is nan", "a number that has an end"),
        ("[prove]\nchecks = 'x'", "prove.checks", "", "a list of texts"),
        ("run = 7", "run", "is 7", "a table"),
        ("mirror = 7", "mirror", "is 7", "a list of tables"),
        ("[mirror]\nname = 'x'", "mirror", "is a table", "a list of tables"),
        ("mirror = [7]", "mirror[0]", "is 7", "a table"),
        (
            "[[hook]]\nwhen = 'after'\ncommand = ['x']\nenvironment = 7",
            "hook[0].environment",
            "",
            "a table of",
        ),
        ("[run]\nx = 1", "run.x", "is unknown", "one of 'brake_share'"),
    ],
)
def test_a_value_of_another_kind_is_not_taken_for_one_that_is_meant(
    text: str, key: str, is_: str, allowed: str
) -> None:
    # A key that stands alone belongs before the first table.
    whole = f"{text}\n{HEAD}" if "\n" not in text else HEAD + text
    with pytest.raises(FaultsError) as caught:
        config.parse(whole, where="rescue.toml")
    (fault,) = caught.value.faults
    assert (fault.key, fault.found) == (key, is_)
    assert fault.allowed.startswith(allowed)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[alarm]\napprise = ['token-of-mine']", "alarm.apprise"),
        ("[alarm]\napprise = 'ntfys://me:secret@example.org'", "alarm.apprise"),
        ("[[hook]]\nwhen = 'after'\ncommand = ['./token-of-mine']", "hook[0].command"),
        ("[[hook]]\nwhen='after'\ncommand=['x']\nenvironment={T=7, U='secret'}",
         "hook[0].environment.T"),
    ],
)  # fmt: skip
def test_what_may_be_a_secret_is_not_repeated(text: str, key: str) -> None:
    with pytest.raises(FaultsError) as caught:
        config.parse(HEAD + text, where="rescue.toml")
    assert [each.key for each in caught.value.faults] == [key]
    assert "token" not in caught.value.message
    assert "secret" not in caught.value.message


def test_a_section_checks_itself() -> None:
    assert [each.key for each in ProofSettings(cpus=0, memory_mib=0).faults()] == [
        "memory_mib",
        "cpus",
    ]


def test_a_long_value_is_shown_by_its_beginning() -> None:
    (fault,) = faults(f"[schedule]\nat = '{'9' * 5000}'\n").values()
    assert len(fault.found) < 80


def test_every_mistake_is_printed_on_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = HEAD + "[run]\nbrake_share = 7\n[schedule]\nat = '3:15'\n"
    with pytest.raises(FaultsError) as caught:
        config.parse(text, where="rescue.toml")
    assert outcome.tell(caught.value, Screen(), debug=False) == ExitCode.USAGE
    assert capsys.readouterr().err.splitlines() == [
        "rescue: rescue.toml: 2 keys are wrong",
        "  key 'run.brake_share' is 7: it must be above 0 and at most 1",
        "  key 'schedule.at' is '3:15': it must be a time from 00:00 to 23:59",
        "  hint: correct them; see rescue.toml(5)",
    ]
