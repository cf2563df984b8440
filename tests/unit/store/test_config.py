"""The configuration: what prepare writes is read again, and mistakes are named by their key."""

from pathlib import Path

import pytest

from rescue.errors import ExitCode, UsageError
from rescue.store import config

GOOD = """
version = 1
[source]
serial = "SRC0001"
table_uuid = "11111111-2222-3333-4444-555555555555"
[[mirror]]
name = "attic"
disk = { serial = "MIR0001", table_uuid = "66666666-7777-8888-9999-000000000000" }
[run]
brake_share = 0.5
"""


def test_what_was_saved_is_loaded_again(tmp_path: Path) -> None:
    wanted = config.parse(GOOD, where="a test")
    path = tmp_path / "etc" / "rescue.toml"
    config.save(wanted, path)
    assert config.load(path) == wanted
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_hook_can_be_added_at_the_end_of_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "rescue.toml"
    config.save(config.parse(GOOD, where="a test"), path)
    with path.open("a") as file:
        file.write("\n[[hook]]\nwhen = 'before'\ncommand = ['true']\n")
    assert [hook.command for hook in config.load(path).hook] == [("true",)]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("brake_share = 0.5", "brake_share = 7", "run.brake_share"),
        ("brake_share = 0.5", "brake_count = 'many'", "run.brake_count"),
        ("brake_share = 0.5", "brake_shar = 0.5", "brake_shar"),
        ("brake_share = 0.5", "overdue_hours = 0", "run.overdue_hours"),
        ("brake_share = 0.5", "[schedule]\nat = '3:15'", "schedule.at"),
        ("brake_share = 0.5", "[schedule]\nat = '24:00'", "schedule.at"),
        ("brake_share = 0.5", "[schedule]\nrandom_delay_minutes = -1", "random_delay_minutes"),
        ("brake_share = 0.5", "[schedule]\nchecksum_day = 'caturday'", "schedule.checksum_day"),
        ("brake_share = 0.5", "[schedule]\nnotify = 'a b'", "schedule.notify"),
        ('name = "attic"', "", "name"),
        ('name = "attic"', 'name = "attic"\ninterval_hours = -1', "interval_hours"),
        ("brake_share = 0.5", "[rotation]\norder = 'random'", "rotation.order"),
        ("version = 1", "version = 99", "version"),
    ],
)
def test_a_mistake_is_named_by_its_key(old: str, new: str, key: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.parse(GOOD.replace(old, new), where="/etc/rescue/rescue.toml")
    assert key in caught.value.message
    assert "/etc/rescue/rescue.toml" in caught.value.message
    assert caught.value.code == ExitCode.USAGE


def test_a_comment_in_another_encoding_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rescue.toml"
    path.write_bytes(GOOD.encode() + "# Büro\n".encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        config.load(path)
    assert (
        caught.value.message
        == f"{path} is not valid TOML: line {GOOD.count(chr(10)) + 1} is not UTF-8"
    )
    assert "UTF-8" in caught.value.hint


def test_a_schedule_is_there_without_being_named() -> None:
    schedule = config.parse(GOOD, where="a test").schedule
    assert (schedule.at, schedule.checksum_day, schedule.notify) == ("03:15", "sunday", "root")


def test_two_mirrors_of_one_name_are_refused() -> None:
    again = GOOD + '[[mirror]]\nname = "attic"\ndisk = { table_uuid = "x" }\n'
    with pytest.raises(UsageError, match="same name"):
        config.parse(again, where="a test")


def test_no_configuration_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        config.load(tmp_path / "none.toml")
    assert "rescue prepare" in caught.value.hint


def test_enrolling_a_mirror_again_replaces_it() -> None:
    first = config.parse(GOOD, where="a test")
    moved = config.MirrorEntry(name="attic", disk=config.DiskEntry(table_uuid="new"))
    assert first.with_mirror(moved).mirror == (moved,)


def test_a_mirror_s_interval_outlives_its_new_preparation() -> None:
    given = GOOD.replace('name = "attic"', 'name = "attic"\ninterval_hours = 200')
    settings = config.parse(given, where="a test")
    assert settings.intervals == {"attic": 200}
    again = config.MirrorEntry(name="attic", disk=settings.mirror[0].disk)
    assert settings.with_mirror(again).intervals == {"attic": 200}


def test_with_two_mirrors_each_has_a_day_more() -> None:
    settings = config.parse(GOOD, where="a test")
    assert settings.intervals == {"attic": 36}
    second = config.MirrorEntry(
        name="vault", disk=config.DiskEntry(table_uuid="x", serial="MIR0002")
    )
    both = settings.with_mirror(second)
    assert both.intervals == {"attic": 60, "vault": 60}
    assert both.without_mirror("vault") == settings


def test_a_disk_that_is_enrolled_under_a_new_name_loses_the_old_one() -> None:
    """By the table that was on it: one serial may be a dock's, and another disk's in it."""
    settings = config.parse(GOOD, where="a test")
    (attic,) = settings.mirror
    disk = config.DiskEntry(table_uuid="new", serial=attic.disk.serial)
    cellar = config.MirrorEntry(name="cellar", disk=disk)
    renamed = settings.with_mirror(cellar, replaced=attic.disk.table_uuid)
    assert [entry.name for entry in renamed.mirror] == ["cellar"]
    for before in ("", "of a disk that is no mirror"):
        both = settings.with_mirror(cellar, replaced=before)
        assert [entry.name for entry in both.mirror] == ["attic", "cellar"]


@pytest.mark.parametrize(
    "text",
    ["overdue_hours = inf", "time_limit_hours = nan", "brake_share = true"],
)
def test_a_limit_is_a_number_with_an_end(text: str) -> None:
    with pytest.raises(UsageError, match=text.split()[0]):
        config.parse(GOOD.replace("brake_share = 0.5", text), where="a test")


@pytest.mark.parametrize("text", [f"a = {'[' * 50_000}", f"a = {'9' * 5_000}"])
def test_what_python_itself_refuses_is_no_toml(text: str) -> None:
    with pytest.raises(UsageError, match="not valid TOML"):
        config.parse(text, where="a test")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\u0000"])
def test_a_mirror_is_called_as_a_file_can_be(name: str) -> None:
    with pytest.raises(UsageError, match=r"'mirror\[0\].name'"):
        config.parse(GOOD.replace("attic", name), where="a test")
