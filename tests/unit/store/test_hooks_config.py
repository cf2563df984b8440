"""Hooks in the configuration: what they come to, and mistakes named by their key."""

from pathlib import Path

import pytest

from rescue.errors import ExitCode, UsageError
from rescue.model.mirror.plan import PlanKind
from rescue.model.run.hook import Hook, HookKind, HookWhen, OnFailure
from rescue.plan.steps.hooks import calls_after, calls_before
from rescue.store import config
from tests.builders import enrolled

GOOD = """
version = 1
[source]
table_uuid = "11111111-2222-3333-4444-555555555555"
[[hook]]
when = "before"
command = ["/usr/local/sbin/quiesce", "--all"]
user = "www-data"
timeout_seconds = 30
environment = { LEVEL = "2" }
on_failure = "warn"
[[hook]]
when = "before"
kind = "postgresql"
[[hook]]
when = "after"
name = "thaw"
command = ["/usr/local/sbin/quiesce", "--off"]
"""


def there(*programs: str) -> set[str]:
    return set(programs)


def test_hooks_are_read_with_their_defaults_and_written_again(tmp_path: Path) -> None:
    read = config.parse(GOOD, where="a test")
    first, dump, last = read.hook
    assert first == Hook(
        when=HookWhen.BEFORE,
        command=("/usr/local/sbin/quiesce", "--all"),
        user="www-data",
        timeout_seconds=30,
        environment={"LEVEL": "2"},
        on_failure=OnFailure.WARN,
    )
    assert (dump.kind, dump.on_failure) == (HookKind.POSTGRESQL, OnFailure.ABORT)
    assert [each.label for each in (first, dump, last)] == ["quiesce", "postgresql", "thaw"]
    config.save(read, tmp_path / "rescue.toml")
    assert config.load(tmp_path / "rescue.toml") == read


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('when = "before"\ncommand', 'when = "during"\ncommand', "hook[0].when"),
        ('when = "before"\ncommand', "command", "when"),
        ('["/usr/local/sbin/quiesce", "--all"]', "[]", "hook[0].command"),
        ('["/usr/local/sbin/quiesce", "--all"]', '"quiesce --all"', "hook[0].command"),
        ('["/usr/local/sbin/quiesce", "--all"]', '["quiesce", 7]', "hook[0].command"),
        ('["/usr/local/sbin/quiesce", "--all"]', '["a\\u0000b"]', "hook[0].command"),
        ("timeout_seconds = 30", "timeout_seconds = 0", "hook[0].timeout_seconds"),
        ("timeout_seconds = 30", "timeout_seconds = 1e9", "hook[0].timeout_seconds"),
        ("timeout_seconds = 30", "timeout_seconds = nan", "hook[0].timeout_seconds"),
        ("timeout_seconds = 30", "timeout = 30", "timeout"),
        ('LEVEL = "2"', '"LEV EL" = "2"', "hook[0].environment.LEV EL"),
        ('LEVEL = "2"', 'RESCUE_RESULT = "2"', "hook[0].environment.RESCUE_RESULT"),
        ('on_failure = "warn"', 'on_failure = "ignore"', "hook[0].on_failure"),
        ('kind = "postgresql"', 'kind = "oracle"', "hook[1].kind"),
        ('kind = "postgresql"', 'kind = "mysql"\ncommand = ["x"]', "hook[1].command"),
        ('kind = "postgresql"', 'kind = "mysql"\ndirectory = "dumps"', "hook[1].directory"),
        ('kind = "postgresql"', 'kind = "mysql"\ndirectory = "/a/../b"', "hook[1].directory"),
        ('name = "thaw"\ncommand', 'kind = "mysql"\n#', "hook[2].when"),
        ('when = "after"', 'when = "before"\nkind = "postgresql"\n[[hook]]\nwhen = "after"',
         "hook[2].directory"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_key(old: str, new: str, key: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError) as caught:
        config.parse(GOOD.replace(old, new), where="/etc/rescue/rescue.toml")
    assert key in caught.value.message


def test_before_and_after_are_told_what_they_are_part_of() -> None:
    hooks, record = config.parse(GOOD, where="a test").hook, enrolled().record
    first, dump = calls_before(hooks, record, kind=PlanKind.MIRROR, is_there=there().__contains__)
    assert first.argv == ("/usr/local/sbin/quiesce", "--all")
    assert first.environment == {
        "LEVEL": "2",
        "RESCUE_WHEN": "before",
        "RESCUE_COMMAND": "mirror",
        "RESCUE_HOST": record.host,
        "RESCUE_MIRROR": record.name,
        "RESCUE_MIRROR_DISK": record.mirror.id.name,
    }
    assert (dump.argv, dump.user) == (("pg_dumpall",), "postgres")
    assert dump.dump == "/var/backups/rescue/postgresql.sql"
    (last,) = calls_after(
        hooks,
        record,
        code=ExitCode.DRIFTED,
        error="it drifted",
        kind=PlanKind.MIRROR,
        is_there=there().__contains__,
    )
    assert last.environment["RESCUE_RESULT"] == "failed"
    assert last.environment["RESCUE_EXIT_CODE"] == "12"
    assert last.environment["RESCUE_ERROR"] == "it drifted"


@pytest.mark.parametrize(
    ("code", "word"),
    [(ExitCode.DONE, "complete"), (ExitCode.DEGRADED, "degraded"), (ExitCode.FAILED, "failed")],
)
def test_the_end_of_a_run_is_a_word(code: ExitCode, word: str) -> None:
    hook = Hook(when=HookWhen.AFTER, command=("true",))
    (call,) = calls_after(
        (hook,),
        enrolled().record,
        kind=PlanKind.MIRROR,
        code=code,
        error="",
        is_there=there().__contains__,
    )
    assert call.environment["RESCUE_RESULT"] == word


@pytest.mark.parametrize(
    ("programs", "first"),
    [(there("mariadb-dump", "mysqldump"), "mariadb-dump"), (there("mysqldump"), "mysqldump")],
)
def test_the_dump_of_mysql_is_of_one_moment(programs: set[str], first: str) -> None:
    hook = Hook(when=HookWhen.BEFORE, kind=HookKind.MYSQL, directory="/srv/dumps")
    (call,) = calls_before(
        (hook,), enrolled().record, kind=PlanKind.MIRROR, is_there=programs.__contains__
    )
    assert call.argv[0] == first
    assert "--single-transaction" in call.argv
    assert (call.user, call.dump) == ("", "/srv/dumps/mysql.sql")
