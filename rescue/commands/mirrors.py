"""`rescue mirrors forget`: removes a lost mirror from configuration and records."""

from rescue.discover.machine import discover
from rescue.errors import ExitCode, UsageError
from rescue.grants import GuardRefusedError
from rescue.plan.checks.target_checks import machine_refusals
from rescue.store import config
from rescue.store.history import forget_runs
from rescue.store.records import forget_record
from rescue.system.process.lock import only_one_run
from rescue.ui.screen import Screen


def forget(name: str, screen: Screen) -> ExitCode:
    """Take the mirror out of configuration and records; its disk is not touched, nor needed.

    Raises UsageError for an unknown name, GuardRefusedError on a machine that runs from a mirror.
    """
    with only_one_run():
        if refusals := machine_refusals(discover()):
            raise GuardRefusedError(tuple(refusals))
        settings = config.load()
        entry = next((each for each in settings.mirror if each.name == name), None)
        if entry is None:
            names = ", ".join(each.name for each in settings.mirror)
            raise UsageError(
                f"no mirror is called '{name}'", hint=f"enrolled are: {names or 'none'}"
            )
        left = settings.without_mirror(name)
        # In this order: a record that no entry names is harmless, and the other way round is not.
        config.save(left)
        forget_record(name)
        forget_runs(name)
    disk = entry.disk.serial or entry.disk.wwn
    screen.show(
        f"mirror '{name}' is no longer enrolled; its disk {disk} was not touched and still boots. "
        f"To enrol it again: 'rescue prepare {disk} --erase {disk}'"
    )
    if left.schedule.when_plugged:
        screen.show(
            "note: run 'rescue schedule install', so that plugging it in no longer starts a run"
        )
    if not left.mirror:
        screen.show("note: no mirror is enrolled now, and nothing will be mirrored")
    return ExitCode.DONE
