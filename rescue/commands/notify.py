"""`rescue notify UNIT`: tells people that a unit of the schedule failed (OnFailure=)."""

import os
from dataclasses import dataclass
from time import time

from rescue import paths
from rescue.errors import ExitCode, RescueError, UsageError
from rescue.model.run.alarm import AlarmSettings
from rescue.model.run.schedule import ScheduleSettings
from rescue.status.alarm import alarm_mail, alarm_subject, alarm_text, is_due, told_with
from rescue.store import config
from rescue.system.notify import apprise, journal, people
from rescue.system.process.run import CommandError
from rescue.ui.screen import Screen

_LINES = 40
_OTHERS = 0o077


@dataclass(frozen=True, kw_only=True)
class Told:
    """Who was reached, in words, and what prevented the other notifications."""

    ways: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def tell_of_failure(unit: str, screen: Screen) -> ExitCode:
    """Report a failed unit: by Apprise and mail, otherwise on the terminals, and in the log.

    Raises UsageError for what cannot be a unit, and RescueError where no configured channel
    reached anybody: the terminals got the message then. Other failed channels are logged as
    errors and named in the mail.
    """
    if "/" in unit:
        raise UsageError(f"'{unit}' is not the name of a unit")
    told = max(people.told_at(each) for each in told_with(unit))
    if not is_due(unit, now=time(), told=told):
        screen.show(f"{unit} failed again; people were told before")
        return ExitCode.DONE
    host = os.uname().nodename
    lines = journal.last_lines(unit, count=_LINES)
    subject = alarm_subject(host, unit)
    journal.report_alarm(subject)
    alarm, to = _settings()
    services = by_services(alarm.apprise, subject=subject, text=alarm_text(host, unit, lines))
    for failure in services.failures:
        journal.report_alarm(failure)
        screen.warn(failure)
    mailed = _by_mail(alarm_mail(host, unit, (*lines, *services.failures), to=to), to)
    if not mailed.ways:
        # No more than that: the journal may name files that are not everybody's to know.
        people.wall(f"{subject}; 'journalctl --unit {unit}' says why")
    if mailed.failures and not services.ways:
        raise RescueError(f"{mailed.failures[0]} that {unit} failed")
    people.note_told(unit)
    ways = (*services.ways, *mailed.ways, *mailed.failures)
    how = ", ".join(ways) or "shown on the terminals only: there is no mail system"
    screen.show(f"{unit} failed: {how}")
    return ExitCode.DONE


def by_services(urls: tuple[str, ...], *, subject: str, text: str) -> Told:
    """Tell every service; one that fails does not keep the message from the others."""
    ways, failures = [], []
    for url in urls:
        try:
            apprise.tell(url, title=subject, text=text)
            ways.append(f"told by {apprise.service(url)}")
        except RescueError as error:
            failures.append(f"could not notify by {error.message} ({error.hint})")
        except OSError as error:
            failures.append(f"could not notify by {apprise.service(url)}: {error}")
    return Told(ways=tuple(ways), failures=tuple(failures))


def _by_mail(message: str, to: str) -> Told:
    if not people.can_mail():
        return Told()
    try:
        people.mail(message)
    except CommandError as error:
        return Told(failures=(f"{to} got no mail ({error.message})",))
    return Told(ways=(f"mailed to {to}",))


def _settings() -> tuple[AlarmSettings, str]:
    """Return whom to tell; a configuration that cannot be read must not silence an alarm."""
    try:
        settings = config.load()
        if settings.alarm.apprise and paths.CONFIG.stat().st_mode & _OTHERS:
            journal.report_alarm(
                f"{paths.CONFIG} holds passwords ('alarm.apprise'), and users other than root can "
                "read it: chmod 600"
            )
    except (RescueError, OSError) as error:
        journal.report_alarm(
            f"only root is notified, by mail, because the configuration cannot be read: {error}"
        )
        return AlarmSettings(), ScheduleSettings().notify
    return settings.alarm, settings.schedule.notify
