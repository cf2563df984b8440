"""Running hooks: each within its time limit, with its output in the log.

They see the machine as everybody does, not the private mounts of a run.
"""

import os
import pwd
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rescue.errors import RescueError, UsageError
from rescue.model.run.hook import HookCall, HookWhen, OnFailure
from rescue.system.files.atomic import fresh_file, own_folder
from rescue.system.files.mount_namespace import HostNamespace
from rescue.system.files.ownership import weak_spot
from rescue.system.notify import journal
from rescue.system.process.attend import attend
from rescue.system.process.run import CommandError, which


class HookError(RescueError):
    """A hook failed, and the configuration says that the run fails with it."""


@dataclass(frozen=True, kw_only=True)
class HookRunner:
    """Runs hooks. `say` takes what a person should read, `log` a program and a line it printed."""

    host: HostNamespace
    say: Callable[[str], None]
    log: Callable[[str, str], None] = journal.report_output

    def carry_out(self, calls: Iterable[HookCall]) -> tuple[str, ...]:
        """Run the hooks one after the other and return the failures of those that only warn.

        Raises HookError for one that aborts: at once before a run, and after a run when
        every hook has had its turn.
        """
        warned: list[str] = []
        fatal: list[str] = []
        for call in calls:
            if fatal and call.when is HookWhen.BEFORE:
                break
            said = self._run(call)
            if said:
                (fatal if call.on_failure is OnFailure.ABORT else warned).append(said)
        if fatal:
            raise HookError(
                "; ".join((*fatal, *warned)),
                hint="its output is in 'journalctl -t rescue'; see [[hook]] in rescue.toml",
            )
        return tuple(warned)

    def expect_trusted(self, calls: Iterable[HookCall]) -> None:
        """Raise UsageError for a program that anyone but root could change, before any is run.

        A hook that only warns is not run but reported when its turn comes.
        """
        for call in calls:
            if call.on_failure is OnFailure.WARN:
                continue
            with suppress(FileNotFoundError):  # said when its turn comes
                try:
                    _trusted(call)
                except PermissionError as error:
                    raise UsageError(
                        f"hook '{call.label}' ({call.when} the run): {error}",
                        hint="nothing was written; see [[hook]] in rescue.toml",
                    ) from error

    def _run(self, call: HookCall) -> str:
        """Run one hook and return what went wrong, or '' if nothing did."""
        name = f"hook '{call.label}' ({call.when} the run)"
        last = "no output"

        def heard(line: str) -> None:
            nonlocal last
            last = line.strip() or last
            self.log(f"hook {call.label}", line)

        self.say(name + (f" writes {call.dump}" if call.dump else ""))
        try:
            self._attend(call, heard)
        except CommandError as error:
            said = error.result.stderr or last
            return f"{name} failed with exit code {error.result.returncode}: {said}"
        except OSError as error:
            return f"{name} failed: {error}"
        return ""

    def _attend(self, call: HookCall, heard: Callable[[str], None]) -> None:
        """Run it. Raises CommandError and OSError; a dump of last time stays then."""
        program = _trusted(call)
        user, who = _as_user(call.user)
        environment = {**who, **call.environment}
        with ExitStack() as stack:
            output: BinaryIO | None = None
            if call.dump:
                own_folder(Path(call.dump).parent)
                output = stack.enter_context(fresh_file(Path(call.dump), mode=0o600))
            result = attend(
                [*self.host.prefix(), *user, program, *call.argv[1:]],
                timeout=call.timeout_seconds,
                on_line=heard,
                output=output,
                extra_env=environment,
            )
            if result.returncode != 0:
                raise CommandError(result)


def _trusted(call: HookCall) -> str:
    """Return the absolute path of a hook's program.

    Raises FileNotFoundError where it or its user is not there, PermissionError where others than
    root and that user could change what is run.
    """
    program = which(call.argv[0], path=call.environment.get("PATH", ""))
    if program is None:
        raise FileNotFoundError(f"{call.argv[0]} is not installed")
    owners = (_entry(call.user).pw_uid,) if call.user else ()
    absolute = Path(program).absolute()
    if spot := weak_spot(absolute, owners=owners):
        raise PermissionError(
            f"{absolute} is not run: users other than root could change it ({spot.path} "
            f"{spot.why}): check it; then: {spot.mend}"
        )
    return str(absolute)


def _as_user(name: str) -> tuple[list[str], dict[str, str]]:
    """Return the command prefix that runs a hook as a user, and that user.

    Raises FileNotFoundError where there is no such user.
    """
    words = ["setpriv", "--pdeathsig=TERM"]
    if not name or name == pwd.getpwuid(os.geteuid()).pw_name:
        return [*words, "--"], {}
    entry = _entry(name)
    whose = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups"]
    return [*words, *whose, "--"], {"HOME": entry.pw_dir, "USER": name, "LOGNAME": name}


def _entry(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError as error:
        raise FileNotFoundError(f"there is no user '{name}' on this machine") from error
