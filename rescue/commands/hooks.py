"""What is run before and after a plan is carried out, and what becomes of one whose hooks fail."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from rescue.apply.hooks import Attendant, HookError
from rescue.errors import ExitCode, RescueError
from rescue.model.event import Notice
from rescue.model.hook import Hook, HookCall
from rescue.model.plan import PlanKind
from rescue.model.record import MirrorRecord
from rescue.plan.hooks import calls_after, calls_before, hooks_around
from rescue.state import load_record, note_record, save_record
from rescue.system import journal
from rescue.system.mountns import Outside
from rescue.system.run import which
from rescue.ui.screen import Screen


def attendant(outside: Outside, screen: Screen) -> Attendant:
    """Return who runs hooks where everybody lives, and says so on the screen."""
    return Attendant(outside=outside, say=lambda said: screen.emit(Notice(message=said)))


@dataclass(frozen=True, kw_only=True)
class Hooked:
    """Something that is done to the disk of a record, with hooks around it."""

    hooks: tuple[Hook, ...]
    record: MirrorRecord
    kind: PlanKind
    attendant: Attendant

    @classmethod
    def around(
        cls, hooks: tuple[Hook, ...], record: MirrorRecord, *, kind: PlanKind, attendant: Attendant
    ) -> Self:
        """Return what carries out a plan of that kind with the hooks of the configuration."""
        return cls(hooks=hooks_around(hooks, kind), record=record, kind=kind, attendant=attendant)

    def carry_out(self, run: Callable[[tuple[str, ...]], ExitCode]) -> ExitCode:
        """Run the hooks before, the run, and in every case the hooks after it.

        `run` is given what went wrong with hooks that only warn. Raises HookError, and whatever
        the run raises; what goes wrong after a run that raised is in the system's log alone.
        """
        try:
            code = run(self._before())
        except BaseException as error:
            said = error.message if isinstance(error, RescueError) else repr(error)
            ended = error.code if isinstance(error, RescueError) else ExitCode.FAILED
            try:
                self._after(ended, said)
            except HookError as later:
                self._warn((later.message,))
            raise
        try:
            warned = self._after(code, "")
        except HookError as error:
            self._note(error.message)
            raise
        if warned:
            self._note("; ".join(warned))
        return code

    def _before(self) -> tuple[str, ...]:
        try:
            before = calls_before(self.hooks, self.record, kind=self.kind, is_there=_is_there)
            self.attendant.expect_trusted((*before, *self._calls_after(ExitCode.DONE, "")))
            warned = self.attendant.carry_out(before)
        except RescueError as error:
            # A disk that shall become a mirror is none yet, and what it was it still is.
            if self.kind is PlanKind.MIRROR:
                note_record(replace(self.record, last_error=error.message))
            raise
        self._warn(warned)
        return warned

    def _after(self, code: ExitCode, error: str) -> tuple[str, ...]:
        warned = self.attendant.carry_out(self._calls_after(code, error))
        self._warn(warned)
        return warned

    def _calls_after(self, code: ExitCode, error: str) -> tuple[HookCall, ...]:
        return calls_after(
            self.hooks, self.record, kind=self.kind, code=code, error=error, is_there=_is_there
        )

    def _warn(self, failures: tuple[str, ...]) -> None:
        for said in failures:
            self.attendant.say(said)
            journal.report_alarm(said)

    def _note(self, said: str) -> None:
        """Write it into what the source knows of the mirror, which is as good as it was.

        Of a disk that became the first one the source keeps no record.
        """
        if self.kind is not PlanKind.FAILBACK:
            save_record(replace(load_record(self.record.name), last_error=said))


def _is_there(program: str) -> bool:
    return which(program) is not None
