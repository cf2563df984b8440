"""The hooks to run, and the environment each of them gets."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import assert_never

from rescue.errors import ExitCode
from rescue.model.mirror.plan import PlanKind
from rescue.model.mirror.record import MirrorRecord
from rescue.model.run.hook import Hook, HookCall, HookKind, HookWhen, OnFailure

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


def hooks_around(hooks: tuple[Hook, ...], kind: PlanKind) -> tuple[Hook, ...]:
    """Return the hooks as they run around a plan of that kind.

    None stops the way home. Its last pass is made with the services stopped, as people are told
    to: a dump of a database fails then, and its files, at rest, are copied as they are.
    """
    if kind is not PlanKind.FAILBACK:
        return hooks
    return tuple(replace(hook, on_failure=OnFailure.WARN) for hook in hooks)


def hook_notes(hooks: tuple[Hook, ...], kind: PlanKind) -> tuple[str, ...]:
    """Return notes on the hooks for a plan of that kind; nothing if there are none."""
    if not hooks:
        return ()
    in_turn = sorted(hooks, key=lambda hook: list(HookWhen).index(hook.when))
    named = ", ".join(f"{hook.label} ({hook.when})" for hook in in_turn)
    mild = "; a failure is reported, and stops nothing" if kind is PlanKind.FAILBACK else ""
    return (f"hooks of the configuration run around it: {named}{mild}",)


def calls_before(
    hooks: tuple[Hook, ...],
    record: MirrorRecord,
    *,
    kind: PlanKind,
    is_there: Callable[[str], bool],
) -> tuple[HookCall, ...]:
    """Return what is run before a plan of that kind, in the order of the configuration.

    `record` names its disk; `is_there` says whether a program is installed.
    """
    told = {"RESCUE_COMMAND": kind.value}
    return tuple(
        _call(hook, record, told, is_there) for hook in hooks if hook.when is HookWhen.BEFORE
    )


def calls_after(
    hooks: tuple[Hook, ...],
    record: MirrorRecord,
    *,
    kind: PlanKind,
    code: ExitCode,
    error: str,
    is_there: Callable[[str], bool],
) -> tuple[HookCall, ...]:
    """Return what is run after it; `code` and `error` are how it ended."""
    words = {ExitCode.DONE: "complete", ExitCode.DEGRADED: "degraded"}
    told = {
        "RESCUE_COMMAND": kind.value,
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
