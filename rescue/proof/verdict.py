"""The verdict of a proof: pure functions from the evidence to findings that name the cause."""

import fnmatch

from rescue.errors import RescueError
from rescue.model.boot.firmware import BootTimes
from rescue.model.finding import Finding, Severity
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord, MirrorState
from rescue.model.proof import Ending, Evidence, FstabLine, Phase, ProbeReport, ProofPlan
from rescue.model.storage.mount import may_be_absent
from rescue.model.virtual import REPORT
from rescue.proof import signs
from rescue.proof.report import ANSWERS, check_answer
from rescue.store.codec import from_json

_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p", "sshfs", "fuse.sshfs")
_RESUME = "resume="
_UNFINISHED = ("", "initializing", "starting", "offline", "unknown")
"""What 'systemctl is-system-running' says of a boot that is not through; '' where it is silent."""


def judge(plan: ProofPlan, evidence: Evidence) -> tuple[Finding, ...]:
    """Given what a boot was expected to show and what was seen, return the findings.

    A proof passes where none of them is an error. The first error is the cause, as far as the
    evidence goes.
    """
    console = signs.findings(evidence.console + "\n" + evidence.screen)
    if evidence.obstacle:
        console = _with_obstacle(console, evidence.obstacle)
    report = evidence.report
    if report is None:
        return (*console, *_never_inside(evidence, console))
    # What the console complained of before systemd explains what is wrong inside, and stands before
    # it; of systemd's own complaints those count that were found true inside.
    early = [each for each in console if each.link != Phase.USERSPACE]
    late = [_note(Phase.USERSPACE, each.message) for each in console if each not in early]
    found = [*early, *_boot_findings(plan, report), *_inside(plan, report)]
    found += [*late, *_end(evidence, report)]
    if not any(finding.severity is Severity.ERROR for finding in found):
        found.append(_ok(Phase.POWER_OFF, "shut itself down properly"))
    return tuple(found)


def may_be_the_accelerator(evidence: Evidence) -> bool:
    """Whether a boot ended in a way that a fault in the host's virtualisation also causes.

    Nested virtualisation can start a guest and lose it later: then the mirror is not at fault.
    """
    lost = (Ending.RESET, Ending.DIED, Ending.PANICKED, Ending.SILENT)
    return evidence.report is None and evidence.ending in lost


def accelerator_note(why: str) -> Finding:
    """Note why this boot was emulated: it takes several times as long as under KVM."""
    return _note(Phase.FIRMWARE, f"seen under emulation: {why}")


def times_of(evidence: Evidence) -> BootTimes:
    """Return how long each part of the boot took."""
    report, grub, kernel = evidence.report, evidence.grub_at, evidence.kernel_at
    if grub is None:
        grub = 0.0
    if report is None or kernel is None:
        return BootTimes(firmware=grub, total=evidence.seconds)
    finished = max(report.finished, report.userspace)
    return BootTimes(
        firmware=grub,
        grub=kernel - grub,
        kernel=report.userspace,
        userspace=finished - report.userspace,
        total=kernel + finished,
    )


def _with_obstacle(console: tuple[Finding, ...], obstacle: str) -> tuple[Finding, ...]:
    """Insert why injection failed before systemd's errors, which it explains, and after GRUB's."""
    before = tuple(each for each in console if each.link != Phase.USERSPACE)
    after = tuple(each for each in console if each.link == Phase.USERSPACE)
    return (*before, _error(Phase.OVERLAY, obstacle), *after)


def _error(phase: Phase, message: str) -> Finding:
    return Finding(severity=Severity.ERROR, link=phase.value, message=message)


def _ok(phase: Phase, message: str) -> Finding:
    return Finding(severity=Severity.OK, link=phase.value, message=message)


def _note(phase: Phase, message: str) -> Finding:
    return Finding(severity=Severity.NOTE, link=phase.value, message=message)


def _never_inside(evidence: Evidence, console: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Say where a boot ended of which nothing was seen from inside."""
    if console:
        said = f"{evidence.ending} after {evidence.seconds:.0f} s"
        return (Finding(severity=Severity.NOTE, link=console[0].link, message=said),)
    shown = signs.plain(evidence.console + evidence.screen)
    if "Linux version" in shown or "Loading initial ramdisk" in shown:
        phase, where = Phase.KERNEL, "GRUB started the kernel, but the system did not come up"
    elif evidence.grub_at is not None:
        phase, where = Phase.GRUB, "GRUB was reached, but no kernel was started"
    else:
        phase, where = Phase.FIRMWARE, "no boot loader was reached"
    last = next((line.strip() for line in reversed(shown.splitlines()) if line.strip()), "nothing")
    said = f"{where}; {evidence.ending} after {evidence.seconds:.0f} s"
    return (_error(phase, f"{said}; the last line shown: {last[:200]}"),)


def _boot_findings(plan: ProofPlan, report: ProbeReport) -> list[Finding]:
    """Compare what the boot itself used with what is the mirror's own."""
    found = []
    own = {swap.mirror_uuid for swap in plan.record.swaps}
    words = report.command_line.split()
    named = [word.removeprefix(_RESUME) for word in words if word.startswith(_RESUME)]
    for device in named:
        if device.startswith("UUID=") and device.removeprefix("UUID=") not in own:
            found.append(_error(Phase.KERNEL, f"resume={device} is not a swap area of this mirror"))
    return found


def _inside(plan: ProofPlan, report: ProbeReport) -> list[Finding]:
    """Return what was seen from inside, in the order in which a boot goes."""
    found = _unheard(plan, report) + _root_findings(report)
    mounts = _mount_findings(plan, report) + _layer_findings(report)
    units = _unit_findings(plan, report)
    # What is not mounted may still be to come where the boot is not through.
    found += units + mounts if report.state in _UNFINISHED else mounts + units
    found += _home_findings(plan, report) + _marker_findings(plan, report)
    for check in report.checks:
        said = f"'{check.command}' ended with {check.exit_code}"
        if check.exit_code == 0:
            found.append(_ok(Phase.USERSPACE, said))
        else:
            found.append(_error(Phase.USERSPACE, f"{said}: {check.said or 'it said nothing'}"))
    return found


def _unheard(plan: ProofPlan, report: ProbeReport) -> list[Finding]:
    """Report each answer lost in transmission, since a fault in it would be missed."""
    if not report.done:
        return []
    checks = plan.settings.checks
    given = ANSWERS | {check_answer(n): f"'{command}'" for n, command in enumerate(checks)}
    said = f"was lost: something else writes to {REPORT}"
    return [
        _error(Phase.USERSPACE, f"the probe's answer about {what} {said}")
        for name, what in given.items()
        if name not in report.heard
    ]


def _mount_findings(plan: ProofPlan, report: ProbeReport) -> list[Finding]:
    """Expect each recorded file system, by the mirror's own UUID, and each line of the fstab."""
    if not report.heard >= {"mounts", "fstab"}:
        return []
    # The probe has opened what is mounted on demand: what is still to be mounted did not answer.
    seen = {mount.target: mount for mount in report.mounts if mount.fstype != "autofs"}
    found = []
    for pair in plan.record.filesystems:
        mount = seen.get(pair.mount_point)
        line = next((each for each in report.fstab if each.target == pair.mount_point), None)
        if mount is None:
            by = f" (fstab names {line.source})" if line else " (no line in the fstab)"
            if line is None or _is_mounted_in_time(line):
                found.append(_error(Phase.USERSPACE, f"{pair.mount_point} is not mounted{by}"))
        elif mount.uuid.lower() != pair.mirror_uuid.lower():
            said = f"{pair.mount_point} is {mount.uuid or '?'}, and not {pair.mirror_uuid}"
            found.append(_error(Phase.USERSPACE, said))
        elif mount.read_only and (line is None or "ro" not in line.options):
            found.append(_error(Phase.USERSPACE, f"{pair.mount_point} is mounted read-only"))
    recorded = {pair.mount_point for pair in plan.record.filesystems}
    found += [
        _note(Phase.USERSPACE, f"{line.target} ({line.source}) of the fstab is not mounted")
        if _may_be_absent(line)
        else _error(Phase.USERSPACE, f"{line.target} is not mounted (fstab names {line.source})")
        for line in report.fstab
        if line.target.startswith("/")
        and line.target not in seen
        and line.target not in recorded
        and "noauto" not in line.options
    ]
    found += [
        _error(Phase.USERSPACE, f"the swap area {swap.mirror_uuid} is not in use")
        for swap in plan.record.swaps
        if "swaps" in report.heard and swap.mirror_uuid not in report.swaps
    ]
    if not found:
        points = ", ".join(pair.mount_point for pair in plan.record.filesystems)
        found.append(_ok(Phase.USERSPACE, f"mounted from the mirror: {points}"))
    return found


def _is_mounted_in_time(line: FstabLine) -> bool:
    """Whether what a line names is there by now: mounted by the boot, or opened on demand."""
    return "noauto" not in line.options or "x-systemd.automount" in line.options


def _may_be_absent(line: FstabLine) -> bool:
    """Whether a line is of the network, or of another disk that need not be there."""
    return line.fstype in _NETWORK or "_netdev" in line.options or may_be_absent(line.options)


def _layer_findings(report: ProbeReport) -> list[Finding]:
    return [
        _error(Phase.USERSPACE, f"/etc/crypttab names '{name}', which could not be opened")
        for name in report.closed_layers
    ]


def _root_findings(report: ProbeReport) -> list[Finding]:
    found = []
    if "root-readable" in report.heard and not report.root_readable:
        said = f"only root can read / (its mode is {report.root_mode or '?'}, 755 is usual)"
        found.append(_error(Phase.USERSPACE, said))
    if report.root_free == 0:
        found.append(_error(Phase.USERSPACE, "the root file system is full: no byte is free"))
    return found


def _unit_findings(plan: ProofPlan, report: ProbeReport) -> list[Finding]:
    """Expect no failed units, except those that the person declared."""
    declared = plan.settings.expected_failures
    found = []
    for unit in report.failed:
        if any(fnmatch.fnmatchcase(unit, pattern) for pattern in declared):
            found.append(_note(Phase.USERSPACE, f"{unit} failed, as declared"))
        else:
            why = next((line for line in report.journal if line.startswith(f"{unit}: ")), unit)
            found.append(_error(Phase.USERSPACE, f"a unit failed: {why}"))
    if report.done and "state" not in report.heard:
        return found
    match report.state:
        case "degraded" if "failed" in report.heard and not report.failed:
            said = "systemd says: degraded, and no failed unit was listed"
            found.append(_error(Phase.USERSPACE, said))
        case "running" | "degraded":
            found.append(_ok(Phase.USERSPACE, f"systemd says: {report.state}"))
        case state if state in _UNFINISHED:
            jobs = ", ".join(report.waiting) or "it did not say what"
            said = f"the boot had not finished, systemd was still waiting for: {jobs}"
            found.append(_error(Phase.USERSPACE, said))
        case "maintenance":
            found.append(_error(Phase.USERSPACE, "systemd is in emergency or rescue mode"))
        case _:
            found.append(_error(Phase.USERSPACE, f"systemd says: {report.state}"))
    return found


def _home_findings(plan: ProofPlan, report: ProbeReport) -> list[Finding]:
    """Expect the home of each user that has one on the source."""
    seen = [home for home in report.homes if home.path in plan.homes]
    found = [
        _error(Phase.USERSPACE, f"the home {home.path} is missing")
        for home in seen
        if not home.present
    ]
    found += [
        _error(Phase.USERSPACE, f"the home {home.path} does not belong to its user")
        for home in seen
        if home.present and not home.owned
    ]
    if seen and not found:
        found.append(_ok(Phase.USERSPACE, f"homes: {', '.join(home.path for home in seen)}"))
    return found


def _marker_findings(plan: ProofPlan, report: ProbeReport) -> list[Finding]:
    """Expect the marker of exactly the recorded run, read back from inside."""
    if "marker" not in report.heard:
        return []
    record = plan.record
    try:
        marker = from_json(
            report.marker, MirrorRecord, known_version=RECORD_VERSION, where="the marker inside"
        )
    except RescueError as error:
        return [_error(Phase.USERSPACE, error.message)]
    if (marker.name, marker.machine_id) != (record.name, record.machine_id):
        said = f"the marker inside belongs to mirror '{marker.name}' of {marker.host}"
        return [_error(Phase.USERSPACE, said)]
    if marker.generation != record.generation:
        said = f"the marker inside is of generation {marker.generation}, recorded is "
        return [_error(Phase.USERSPACE, f"{said}{record.generation}")]
    if marker.state is not MirrorState.COMPLETE:
        return [_error(Phase.USERSPACE, f"the mirror is not complete: {marker.state}")]
    return [_ok(Phase.USERSPACE, f"the marker of generation {marker.generation} is there")]


def _end(evidence: Evidence, report: ProbeReport) -> list[Finding]:
    """Expect the machine to switch itself off when the probe is through."""
    if evidence.ending is Ending.POWERED_OFF and report.done:
        return []
    what = "the probe finished" if report.done else "the probe did not finish"
    said = f"{evidence.ending} after {evidence.seconds:.0f} s; {what}"
    return [_error(Phase.POWER_OFF, said)]
