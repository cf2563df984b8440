"""A schedule for people."""

import time

from rescue.model.run.schedule import (
    ChecksumDay,
    Installed,
    SchedulePlan,
    ScheduleSettings,
    ScheduleState,
    ServiceState,
    Starter,
    TimerState,
)

_STANDS = {
    Installed.NO: "not installed: run 'rescue schedule install'",
    Installed.YES: "installed",
    Installed.OUTDATED: "installed, but NOT as configured: run 'rescue schedule install'",
}


def settings_line(settings: ScheduleSettings, starter: Starter) -> str:
    """Return the configuration as a sentence."""
    if starter is Starter.CRON:
        when = "every day when cron.daily runs (see /etc/crontab)"
    else:
        when = f"every day at {settings.at}"
        if settings.random_delay_minutes:
            when += f", up to {settings.random_delay_minutes} min later"
    compared = (
        "contents are never compared"
        if settings.checksum_day is ChecksumDay.NEVER
        else f"the contents of every file are compared on {settings.checksum_day.title()}"
    )
    told = (
        f"{settings.notify} is notified of failures"
        if starter is Starter.SYSTEMD
        else "cron mails failures"
    )
    plugged = "; plugging in a mirror starts its run" if settings.when_plugged else ""
    proven = "; each complete run is proven" if settings.prove else ""
    return f"{when}; {compared}; {told}{plugged}{proven}"


def plan_lines(plan: SchedulePlan) -> tuple[str, ...]:
    """Return what an installation writes and removes, one file a line."""
    return (
        *(f"writes {file.path}" for file in plan.files),
        *(f"removes {path}" for path in plan.stale),
    )


def state_lines(state: ScheduleState) -> tuple[str, ...]:
    """Return what `rescue schedule show` prints."""
    lines = [
        f"schedule: {settings_line(state.settings, state.starter)}",
        f"by {state.starter}: {_STANDS[state.installed]}",
    ]
    if state.installed is not Installed.NO:
        lines += [f"  {_timer(timer)}" for timer in state.timers]
        lines += [f"  {_service(service)}" for service in state.services if service.ended]
    return tuple(lines)


def _timer(timer: TimerState) -> str:
    return f"{timer.unit}: next {_local(timer.next)}, last {_local(timer.last)}"


def _service(service: ServiceState) -> str:
    return (
        f"{service.unit}: ended {_local(service.ended)}, {service.result}, "
        f"exit code {service.exit_code}"
    )


def _local(seconds: float) -> str:
    # The timers use local time, and so do the sentences about them.
    return time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(seconds)) if seconds else "never"
