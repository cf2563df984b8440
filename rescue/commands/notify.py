"""`rescue notify UNIT`: what OnFailure= of the schedule's units starts; people are told."""

import os
from time import time

from rescue import config
from rescue.errors import ExitCode, RescueError, UsageError
from rescue.model.schedule import ScheduleSettings
from rescue.plan.alarm import alarm_mail, alarm_subject, alarm_text, is_due, told_with
from rescue.system import journal, notify
from rescue.system.run import CommandError
from rescue.ui.screen import Screen

_LINES = 40


def tell_of_failure(unit: str, screen: Screen) -> ExitCode:
    """Tell people that a unit failed: by mail, else on the terminals; always in the system's log.

    Raises UsageError for what cannot be a unit, and RescueError where a mail system is there and
    does not take the message: the terminals got it then.
    """
    if "/" in unit:
        raise UsageError(f"'{unit}' is not the name of a unit")
    told = max(notify.told_at(each) for each in told_with(unit))
    if not is_due(unit, now=time(), told=told):
        screen.show(f"{unit} failed, as it was told before")
        return ExitCode.DONE
    host = os.uname().nodename
    lines = journal.last_lines(unit, count=_LINES)
    subject = alarm_subject(host, unit)
    journal.report_alarm(subject)
    refused = ""
    to = _address()
    if notify.can_mail():
        try:
            notify.mail(alarm_mail(host, unit, lines, to=to))
        except CommandError as error:
            refused = error.message
    if refused or not notify.can_mail():
        notify.wall(f"{subject}\n\n{alarm_text(host, unit, lines)}")
    if refused:
        raise RescueError(f"{to} got no mail that {unit} failed: {refused}")
    notify.note_told(unit)
    how = f"mailed to {to}" if notify.can_mail() else "shown on the terminals: no mail system here"
    screen.show(f"{unit} failed: {how}")
    return ExitCode.DONE


def _address() -> str:
    """Return whom to tell; a configuration that cannot be read must not silence an alarm."""
    try:
        return config.load().schedule.notify
    except (RescueError, OSError):
        return ScheduleSettings().notify
