"""The observation of one boot from outside, ended as soon as the result is certain."""

import contextlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from rescue.model.proof import Ending, Evidence, ProofPlan
from rescue.model.virtual import VirtualMachine
from rescue.proof.report import parse_report
from rescue.proof.signs import is_hopeless, plain
from rescue.system.vm.accelerator import SILENT_SECONDS
from rescue.system.vm.qemu import PoweredOn, Silence, powered_on
from rescue.system.vm.qmp import QmpError

_POLL_SECONDS = 0.5
_SETTLE_SECONDS = 4.0
"""What is printed shortly before and after there is no hope left may name the cause."""

_SILENT_SHARE = 1 / 3
"""Of the time limit: how long a boot may say nothing at all; systemd says for what it waits."""

_POWER_OFF_SECONDS = 240.0
_GRUB = re.compile(r"GRUB|Booting `|Loading Linux|Minimal BASH-like")
_LOGIN = re.compile(r"^\S+ login: ", re.MULTILINE)
_MINUTE = 60.0


@dataclass(kw_only=True)
class _Watch:
    """The observations while the machine runs."""

    probed: bool
    emulated: bool
    grub_at: float | None = None
    kernel_at: float | None = None
    done_at: float | None = None
    hopeless_at: float | None = None
    heard: int = 0
    heard_at: float = 0.0
    pictured: bool = False
    silence: Silence = field(default_factory=Silence)


def observe(
    machine: VirtualMachine,
    plan: ProofPlan,
    folder: Path,
    *,
    picture: Path | None = None,
    obstacle: str = "",
) -> Evidence:
    """Boot the machine, watch it to its end, and return what was seen.

    `picture` is where a PNG of the screen goes: taken when the probe has seen the system, or when
    hope ended. `obstacle` is why the probe is not inside: then a login is all there is to wait
    for. Raises UsageError and QmpError where QEMU does not start.
    """
    watch = _Watch(probed=not obstacle, emulated=machine.emulated)
    limit = plan.settings.time_limit_minutes * _MINUTE
    with powered_on(machine, folder) as guest:
        while (ending := _look(guest, plan, watch, limit)) is None:
            if picture is not None and (watch.done_at or watch.hopeless_at):
                _picture(guest, picture, watch)
            time.sleep(_POLL_SECONDS)
        if picture is not None:
            _picture(guest, picture, watch)
        return Evidence(
            ending=ending,
            seconds=guest.seconds,
            console=guest.console,
            screen=guest.report,
            report=parse_report(guest.report, checks=plan.settings.checks),
            grub_at=watch.grub_at,
            kernel_at=watch.kernel_at,
            obstacle=obstacle,
        )


def _look(guest: PoweredOn, plan: ProofPlan, watch: _Watch, limit: float) -> Ending | None:
    """Note what is new; return how it ended, or None while it continues."""
    on, now = guest.is_on, guest.seconds
    shown = guest.console + guest.report
    if watch.grub_at is None and _GRUB.search(plain(shown)):
        watch.grub_at = now
    report = parse_report(guest.report, checks=plan.settings.checks)
    if report is not None and watch.kernel_at is None:
        watch.kernel_at = max(now - report.uptime, watch.grub_at or 0.0)
    if len(shown) != watch.heard:
        watch.heard, watch.heard_at = len(shown), now
    if report is not None and report.done:
        watch.done_at = watch.done_at or now
    if not on:
        return _how_it_went_off(guest)
    if report is None and is_hopeless(shown):
        watch.hopeless_at = watch.hopeless_at or now
        if now - watch.hopeless_at > _SETTLE_SECONDS:
            return Ending.HOPELESS
    if not watch.probed and _LOGIN.search(plain(guest.console)):
        return Ending.UNSEEN
    if report is None and _is_silent(guest, watch, limit, now):
        return Ending.SILENT
    if now > limit or (watch.done_at is not None and now - watch.done_at > _POWER_OFF_SECONDS):
        return Ending.TIMED_OUT
    return None


def _is_silent(guest: PoweredOn, watch: _Watch, limit: float, now: float) -> bool:
    """Whether it was silent for too long or, under KVM, idle: it is started again then."""
    lifeless = not watch.emulated and watch.silence.lasts(guest.signs_of_life, now) > SILENT_SECONDS
    return lifeless or now - watch.heard_at > limit * _SILENT_SHARE


def _how_it_went_off(guest: PoweredOn) -> Ending:
    """Return why QEMU ended, by its last events (QEMU: ShutdownCause)."""
    match guest.went_off:
        case "guest-shutdown":
            return Ending.POWERED_OFF
        case "guest-reset":
            return Ending.RESET
        case "guest-panic":
            return Ending.PANICKED
        case _:
            return Ending.DIED


def _picture(guest: PoweredOn, path: Path, watch: _Watch) -> None:
    """Take one picture. A machine that has just gone off shows nothing any more."""
    if not watch.pictured and guest.is_on:
        with contextlib.suppress(QmpError, OSError):
            guest.screendump(path)
            watch.pictured = True
