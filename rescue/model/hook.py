"""What runs around a run, so that what it copies is consistent: `[[hook]]` in the configuration."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from rescue import paths

LONGEST = 24 * 3600.0
"""Seconds that a hook may be given at most."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_PREFIX = "RESCUE_"


class HookWhen(StrEnum):
    """BEFORE the first file is copied, or AFTER the run, however it ended."""

    BEFORE = "before"
    AFTER = "after"


class HookKind(StrEnum):
    """A command of one's own, or a ready dump of all databases of a server."""

    COMMAND = "command"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


class OnFailure(StrEnum):
    """ABORT ends the run as failed (before the copy: without one); WARN says it and goes on."""

    ABORT = "abort"
    WARN = "warn"


@dataclass(frozen=True)
class Hook:
    """One hook: what runs around `rescue mirror`, `rescue prepare` and `rescue failback`.

    `when` is `before` the first file is copied, or `after` the run, however it ended. `kind` is a
    `command` of one's own, or a ready dump of `postgresql` or `mysql`; `name` is what messages call
    it (the program, where none is given). `on_failure` is `abort` (the run has failed; before the
    copy: there is none) or `warn` (it is said, in the status too, and the run goes on).

    `command` is a program (its absolute path, or its name) and its arguments, no shell; it is not
    run where others than root and `user` could change the program, or a folder on its way. The
    ready kinds have none: they write a dump into `directory`, where the run copies it; nobody but
    root may be able to change that folder, and the dump is readable by root alone. `user` is who
    runs it, '' is root (the PostgreSQL dump: postgres). It is ended with its children after
    `timeout_seconds` (86,400 at most), and that is a failure. `environment` is added to PATH,
    LC_ALL=C, HOME (of another user also USER and LOGNAME), and what rescue tells in RESCUE_
    variables.
    """

    when: HookWhen
    kind: HookKind = HookKind.COMMAND
    name: str = ""
    command: tuple[str, ...] = ()
    directory: str = paths.DUMPS
    user: str = ""
    timeout_seconds: float = 600.0
    environment: Mapping[str, str] = field(default_factory=dict)
    on_failure: OnFailure = OnFailure.ABORT

    @property
    def label(self) -> str:
        """What people call it: its name, else its program, else its kind."""
        program = PurePosixPath(self.command[0]).name if self.command else ""
        return self.name or program or self.kind.value


@dataclass(frozen=True, kw_only=True)
class HookCall:
    """What a hook comes to in one run: a command, who runs it, and what it is told.

    `dump` is the file that takes its standard output, '' for none.
    """

    label: str
    when: HookWhen
    argv: tuple[str, ...]
    user: str
    dump: str
    timeout_seconds: float
    environment: Mapping[str, str]
    on_failure: OnFailure


def hook_faults(hooks: tuple[Hook, ...]) -> Iterator[tuple[str, str]]:
    """Return each key whose value cannot be meant ('hook[0].command'), and what it must be."""
    dumps: set[tuple[HookKind, str]] = set()
    for number, hook in enumerate(hooks):
        for key, wanted in _faults(hook):
            yield f"hook[{number}].{key}", wanted
        dump = (hook.kind, str(PurePosixPath(hook.directory)))
        if hook.kind is not HookKind.COMMAND and dump in dumps:
            yield f"hook[{number}].directory", "another one than that of the same kind of dump"
        dumps.add(dump)


def _faults(hook: Hook) -> Iterator[tuple[str, str]]:
    if hook.kind is HookKind.COMMAND:
        if not hook.command or not hook.command[0]:
            yield "command", "a list: a program and its arguments"
        elif "/" in hook.command[0] and not hook.command[0].startswith("/"):
            yield "command", "a list that begins with an absolute path, or a program's name alone"
    else:
        if hook.command:
            yield "command", f"absent for kind '{hook.kind}', which has its own"
        if hook.when is not HookWhen.BEFORE:
            yield "when", f"'before' for kind '{hook.kind}': the run copies the dump"
        if not hook.directory.startswith("/") or ".." in PurePosixPath(hook.directory).parts:
            yield "directory", "an absolute path"
    if not 0 < hook.timeout_seconds <= LONGEST:
        yield "timeout_seconds", f"above 0 and at most {LONGEST:.0f}"
    for name in hook.environment:
        if not _VARIABLE.fullmatch(name) or name.startswith(_OWN_PREFIX):
            yield f"environment.{name}", f"a variable's name, not beginning with {_OWN_PREFIX}"
    texts = (*hook.command, hook.user, hook.directory, *hook.environment.values())
    if any("\0" in text for text in texts):
        yield "command", "without zero bytes, as everything else of a hook"
