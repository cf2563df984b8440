"""What a hook runs: the commands of the ready ones, and what each is told."""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import assert_never

from rescue.errors import ExitCode
from rescue.model.hook import Hook, HookCall, HookKind, HookWhen
from rescue.model.record import MirrorRecord

# A dump of everything, in one state of the database, that needs no lock for long
# (PostgreSQL: pg_dumpall; MySQL and MariaDB: --single-transaction, for InnoDB).
_POSTGRESQL = ("pg_dumpall",)
_MYSQL_OPTIONS = (
    "--single-transaction",
    "--all-databases",
    "--routines",
    "--events",
    "--triggers",
)
_MYSQL_PROGRAMS = ("mariadb-dump", "mysqldump")
_USERS = {HookKind.POSTGRESQL: "postgres"}


def calls_before(
    hooks: tuple[Hook, ...], record: MirrorRecord, *, is_there: Callable[[str], bool]
) -> tuple[HookCall, ...]:
    """Return what is run before a run onto this mirror, in the order of the configuration.

    `is_there` says whether a program is installed.
    """
    return tuple(
        _call(hook, record, {}, is_there) for hook in hooks if hook.when is HookWhen.BEFORE
    )


def calls_after(
    hooks: tuple[Hook, ...],
    record: MirrorRecord,
    *,
    code: ExitCode,
    error: str,
    is_there: Callable[[str], bool],
) -> tuple[HookCall, ...]:
    """Return what is run after it; `code` and `error` are how it ended."""
    words = {ExitCode.DONE: "complete", ExitCode.DEGRADED: "degraded"}
    told = {
        "RESCUE_RESULT": words.get(code, "failed"),
        "RESCUE_EXIT_CODE": str(int(code)),
        "RESCUE_ERROR": error,
    }
    return tuple(
        _call(hook, record, told, is_there) for hook in hooks if hook.when is HookWhen.AFTER
    )


def _call(
    hook: Hook, record: MirrorRecord, told: Mapping[str, str], is_there: Callable[[str], bool]
) -> HookCall:
    return HookCall(
        label=hook.label,
        when=hook.when,
        argv=_argv(hook, is_there),
        user=hook.user or _USERS.get(hook.kind, ""),
        dump=_dump(hook),
        timeout_seconds=hook.timeout_seconds,
        environment={
            **hook.environment,
            "RESCUE_WHEN": hook.when.value,
            "RESCUE_HOST": record.host,
            "RESCUE_MIRROR": record.name,
            "RESCUE_MIRROR_DISK": record.mirror.id.name,
            **told,
        },
        on_failure=hook.on_failure,
    )


def _argv(hook: Hook, is_there: Callable[[str], bool]) -> tuple[str, ...]:
    match hook.kind:
        case HookKind.COMMAND:
            return hook.command
        case HookKind.POSTGRESQL:
            return _POSTGRESQL
        case HookKind.MYSQL:
            program = next((each for each in _MYSQL_PROGRAMS if is_there(each)), _MYSQL_PROGRAMS[0])
            return (program, *_MYSQL_OPTIONS)
        case _:
            assert_never(hook.kind)


def _dump(hook: Hook) -> str:
    if hook.kind is HookKind.COMMAND:
        return ""
    return str(PurePosixPath(hook.directory) / f"{hook.kind}.sql")
