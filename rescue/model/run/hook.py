"""Hooks that make what a run copies consistent: `[[hook]]` in the configuration."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from rescue import paths
from rescue.model.fault import SECRET, Fault, unmet

LONGEST = 24 * 3600.0
"""Seconds that a hook may be given at most."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_PREFIX = "RESCUE_"


class HookWhen(StrEnum):
    """BEFORE the first file is copied, or AFTER the run, however it ended."""

    BEFORE = "before"
    AFTER = "after"


class HookKind(StrEnum):
    """A custom command, or a ready-made dump of all databases of a server."""

    COMMAND = "command"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


class OnFailure(StrEnum):
    """ABORT fails the run (a hook before the copy prevents it); WARN reports it and goes on."""

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
    command: tuple[str, ...] = field(default=(), metadata=SECRET)
    directory: str = paths.DUMPS
    user: str = ""
    timeout_seconds: float = 600.0
    environment: Mapping[str, str] = field(default_factory=dict, metadata=SECRET)
    on_failure: OnFailure = OnFailure.ABORT

    def faults(self) -> Iterator[Fault]:
        """Return what cannot be meant."""
        yield from self._command_faults() if self.kind is HookKind.COMMAND else self._dump_faults()
        within = 0 < self.timeout_seconds <= LONGEST
        texts = (*self.command, self.user, self.directory, *self.environment.values())
        clean = not any("\0" in text for text in texts)
        yield from unmet(
            self,
            ("timeout_seconds", within, f"above 0 and at most {LONGEST:.0f}"),
            ("command", clean, "without zero bytes, as everything else of a hook"),
        )
        for name in self.environment:
            good = _VARIABLE.fullmatch(name) and not name.startswith(_OWN_PREFIX)
            allowed = f"a variable's name, not beginning with {_OWN_PREFIX}"
            yield from unmet(self, (f"environment.{name}", good, allowed))

    def _command_faults(self) -> Iterator[Fault]:
        program = self.command[0] if self.command else ""
        plain = program.startswith("/") or "/" not in program
        whole = "a list that begins with an absolute path, or a program's name alone"
        yield from unmet(
            self,
            ("command", program, "a list: a program and its arguments"),
            ("command", plain, whole),
        )

    def _dump_faults(self) -> Iterator[Fault]:
        absolute = self.directory.startswith("/")
        straight = ".." not in PurePosixPath(self.directory).parts
        before = self.when is HookWhen.BEFORE
        yield from unmet(
            self,
            ("command", not self.command, f"absent for kind '{self.kind}', which has its own"),
            ("when", before, f"'before' for kind '{self.kind}': the run copies the dump"),
            ("directory", absolute and straight, "an absolute path"),
        )

    @property
    def label(self) -> str:
        """The hook's displayed name: its name, otherwise its program, otherwise its kind."""
        program = PurePosixPath(self.command[0]).name if self.command else ""
        return self.name or program or self.kind.value


@dataclass(frozen=True, kw_only=True)
class HookCall:
    """One hook as it runs: the command, who runs it, and its environment.

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


def repeated_dumps(hooks: tuple[Hook, ...]) -> Iterator[Fault]:
    """Return the hooks whose dump would take the place of another one's, by their number."""
    dumps: set[tuple[HookKind, str]] = set()
    for number, hook in enumerate(hooks):
        dump = (hook.kind, str(PurePosixPath(hook.directory)))
        if hook.kind is not HookKind.COMMAND and dump in dumps:
            allowed = "another one than that of the same kind of dump"
            for fault in unmet(hook, ("directory", False, allowed)):
                yield fault.below(f"hook[{number}]")
        dumps.add(dump)
