"""Hooks around a run: what runs when, whatever becomes of it, and what the record says then."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rescue.errors import AuditError, ExitCode
from rescue.grants import grant_disk
from rescue.model.mirror.plan import Plan, PlanKind
from rescue.model.mirror.record import MirrorRecord
from rescue.model.run.hook import Hook, HookKind, HookWhen, OnFailure
from rescue.plan.steps.hooks import hook_notes
from rescue.run.hook_runner import HookError, HookRunner
from rescue.run.hooked_run import HookedRun
from rescue.run.recorder import Recorder
from rescue.run.state_store import Store
from rescue.store.records import load_record, save_record
from rescue.system.files.mount_namespace import HostNamespace
from rescue.system.notify import journal
from tests.builders import enrolled

RECORD = enrolled().record
ABORT, WARN = OnFailure.ABORT, OnFailure.WARN


class Night:
    """One night: what was run in which order, and what the source's record says."""

    def __init__(self, folder: Path, host: HostNamespace) -> None:
        self.folder, self.order = folder, list[str]()
        self._host = host

    def hook(self, when: str, script: str, on_failure: OnFailure = ABORT) -> Hook:
        return Hook(
            when=HookWhen(when), command=("sh", "-c", f"echo {when}; {script}"),
            on_failure=on_failure,
        )  # fmt: skip

    def carry_out(
        self, *hooks: Hook, fails: bool = False, kind: PlanKind = PlanKind.MIRROR
    ) -> ExitCode:
        hook_runner = HookRunner(
            host=self._host, say=lambda _: None, log=lambda _, line: self.order.append(line)
        )

        plan = Plan(kind=kind, target_path="/dev/vdb", record=RECORD, steps=(), names=("this",))
        recorder = Recorder(
            grant_disk(plan, named="this"),
            store=Store(records=self.folder, unsaved=self.folder / "run"),
        )
        with HookedRun.around(hooks, recorder, hook_runner=hook_runner).carry_out() as between:
            self.order.append(f"run, {len(between.warned)} warned")
            if fails:
                raise AuditError("the chain is broken")
        return between.code

    @property
    def record(self) -> MirrorRecord:
        return load_record(RECORD.name, self.folder)


@pytest.fixture(name="night")
def night_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    save_record(RECORD, tmp_path)
    monkeypatch.setattr(journal, "report_alarm", lambda said: None)
    with HostNamespace() as host:
        yield Night(tmp_path, host)


def test_without_hooks_there_is_the_run(night: Night) -> None:
    assert night.carry_out() is ExitCode.DONE
    assert night.order == ["run, 0 warned"]


def test_before_the_run_and_after_it(night: Night) -> None:
    code = night.carry_out(night.hook("after", "echo $RESCUE_RESULT"), night.hook("before", ""))
    assert code is ExitCode.DONE
    assert night.order == ["before", "run, 0 warned", "after", "complete"]
    assert night.record == RECORD


def test_a_hook_before_that_aborts_keeps_the_run_from_beginning(night: Night) -> None:
    with pytest.raises(HookError) as caught:
        night.carry_out(night.hook("before", "exit 4"), night.hook("after", "echo $RESCUE_RESULT"))
    assert night.order == ["before", "after", "failed"]
    assert caught.value.code is ExitCode.FAILED
    assert "exit code 4" in night.record.last_error
    assert night.record.state is RECORD.state


def test_a_hook_before_that_warns_is_told_to_the_run(night: Night) -> None:
    assert night.carry_out(night.hook("before", "exit 4", WARN)) is ExitCode.DONE
    assert night.order == ["before", "run, 1 warned"]


def test_hooks_after_a_failed_run_are_told_why_and_the_run_is_what_is_raised(night: Night) -> None:
    tell = "echo $RESCUE_RESULT $RESCUE_EXIT_CODE: $RESCUE_ERROR; exit 9"
    with pytest.raises(AuditError):
        night.carry_out(night.hook("after", tell), fails=True)
    assert night.order == ["run, 0 warned", "after", "failed 15: the chain is broken"]


def test_a_hook_that_fails_after_a_complete_run_is_a_failure_of_its_own(night: Night) -> None:
    with pytest.raises(HookError):
        night.carry_out(night.hook("after", "echo still locked; exit 5"))
    assert night.record.state is RECORD.state
    assert "exit code 5: still locked" in night.record.last_error


def test_a_hook_that_only_warns_after_it_is_in_the_record(night: Night) -> None:
    assert night.carry_out(night.hook("after", "exit 5", WARN)) is ExitCode.DONE
    assert "exit code 5" in night.record.last_error


# --- around the first copy, and around the way home


@pytest.mark.parametrize("kind", [PlanKind.PREPARE, PlanKind.MIRROR, PlanKind.FAILBACK])
def test_each_hook_is_told_what_it_runs_around(night: Night, kind: PlanKind) -> None:
    told = "echo $RESCUE_COMMAND"
    night.carry_out(night.hook("before", told), night.hook("after", told), kind=kind)
    assert night.order == ["before", kind.value, "run, 0 warned", "after", kind.value]


def test_a_hook_that_keeps_prepare_from_beginning_leaves_the_old_record_alone(night: Night) -> None:
    with pytest.raises(HookError):
        night.carry_out(night.hook("before", "exit 4"), kind=PlanKind.PREPARE)
    assert night.record == RECORD


def test_a_hook_after_prepare_that_fails_is_in_the_record_of_the_new_mirror(night: Night) -> None:
    with pytest.raises(HookError):
        night.carry_out(night.hook("after", "exit 4"), kind=PlanKind.PREPARE)
    assert "exit code 4" in night.record.last_error


def test_the_way_home_is_stopped_by_no_hook(night: Night) -> None:
    """Its last pass is made with the services stopped: a dump of a database fails then."""
    hooks = (night.hook("before", "exit 4"), night.hook("after", "exit 5"))
    assert night.carry_out(*hooks, kind=PlanKind.FAILBACK) is ExitCode.DONE
    assert night.order == ["before", "run, 1 warned", "after"]
    assert night.record == RECORD


def test_a_plan_says_which_hooks_will_run() -> None:
    dump = Hook(when=HookWhen.BEFORE, kind=HookKind.POSTGRESQL)
    wake = Hook(when=HookWhen.AFTER, command=("/usr/local/sbin/wake-up",))
    assert hook_notes((), PlanKind.PREPARE) == ()
    assert hook_notes((wake, dump), PlanKind.PREPARE) == (
        "hooks of the configuration run around it: postgresql (before), wake-up (after)",
    )
    (said,) = hook_notes((dump,), PlanKind.FAILBACK)
    assert said.endswith("postgresql (before); a failure is reported, and stops nothing")
