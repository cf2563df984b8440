"""Hooks before and after a run, and the outcome of a run whose hooks fail."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Self

from rescue.errors import ExitCode, RescueError
from rescue.model.event import Notice
from rescue.model.mirror.plan import PlanKind
from rescue.model.mirror.record import MirrorRecord
from rescue.model.run.hook import Hook, HookCall
from rescue.plan.steps.hooks import calls_after, calls_before, hooks_around
from rescue.run.hook_runner import HookError, HookRunner
from rescue.run.recorder import Recorder
from rescue.system.files.mount_namespace import HostNamespace
from rescue.system.notify import journal
from rescue.system.process.run import which
from rescue.ui.screen import Screen


def between_hooks(
    recorder: Recorder, hooks: tuple[Hook, ...], host: HostNamespace, screen: Screen
) -> AbstractContextManager["Between"]:
    """Return the block in which a plan is carried out, between the configuration's hooks.

    They run where everybody lives, and say so on the screen.
    """
    hook_runner = HookRunner(host=host, say=lambda said: screen.emit(Notice(message=said)))
    return HookedRun.around(hooks, recorder, hook_runner=hook_runner).carry_out()


@dataclass(kw_only=True)
class Between:
    """What is done between the hooks: it is told what went wrong with those that only warn.

    It says with which `code` it ended.
    """

    warned: tuple[str, ...]
    code: ExitCode = ExitCode.DONE


@dataclass(frozen=True, kw_only=True)
class HookedRun:
    """Something that is done to the disk of a record, with hooks around it."""

    hooks: tuple[Hook, ...]
    record: MirrorRecord
    kind: PlanKind
    hook_runner: HookRunner
    recorder: Recorder

    @classmethod
    def around(
        cls, hooks: tuple[Hook, ...], recorder: Recorder, *, hook_runner: HookRunner
    ) -> Self:
        """Return what runs the hooks of the configuration around the plan of a recorder."""
        return cls(
            hooks=hooks_around(hooks, recorder.kind),
            record=recorder.record,
            kind=recorder.kind,
            hook_runner=hook_runner,
            recorder=recorder,
        )

    @contextmanager
    def carry_out(self) -> Iterator[Between]:
        """Run the hooks before, the block, and in every case the hooks after it.

        Raises HookError, and whatever the block raises; what goes wrong after a block that raised
        is in the system's log alone.
        """
        try:
            between = Between(warned=self._before())
            yield between
        except BaseException as error:
            said = error.message if isinstance(error, RescueError) else repr(error)
            ended = error.code if isinstance(error, RescueError) else ExitCode.FAILED
            try:
                self._after(ended, said)
            except HookError as later:
                self._warn((later.message,))
            raise
        try:
            warned = self._after(between.code, "")
        except HookError as error:
            self.recorder.warn(error.message)
            raise
        if warned:
            self.recorder.warn("; ".join(warned))

    def _before(self) -> tuple[str, ...]:
        try:
            before = calls_before(self.hooks, self.record, kind=self.kind, is_there=_is_there)
            self.hook_runner.expect_trusted((*before, *self._calls_after(ExitCode.DONE, "")))
            warned = self.hook_runner.carry_out(before)
        except RescueError as error:
            self.recorder.fail(error.message)
            raise
        self._warn(warned)
        return warned

    def _after(self, code: ExitCode, error: str) -> tuple[str, ...]:
        warned = self.hook_runner.carry_out(self._calls_after(code, error))
        self._warn(warned)
        return warned

    def _calls_after(self, code: ExitCode, error: str) -> tuple[HookCall, ...]:
        return calls_after(
            self.hooks, self.record, kind=self.kind, code=code, error=error, is_there=_is_there
        )

    def _warn(self, failures: tuple[str, ...]) -> None:
        for said in failures:
            self.hook_runner.say(said)
            journal.report_alarm(said)


def _is_there(program: str) -> bool:
    return which(program) is not None
