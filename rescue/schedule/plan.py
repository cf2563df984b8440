"""The plan of a schedule: its files, and the days on which a run compares every content.

The origin leaves its nightly job out of the copy, so that a machine that runs from its mirror does
not overwrite the original disk. Here it is copied, and does nothing there: the units carry
`ConditionPathExists=!/.rescue/mirror.json`, the script of cron looks for the same file, and
`rescue mirror` itself refuses. So the schedule is there again, without anybody thinking of it,
when a new first disk was made from the mirror.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from rescue.errors import ExitCode
from rescue.model.finding import Refusal, Refused
from rescue.model.run.schedule import (
    FAILED_SERVICE,
    MIRROR_SERVICE,
    MIRROR_TIMER,
    OVERDUE_SERVICE,
    OVERDUE_TIMER,
    PLUGGED_SERVICE,
    PROVE_SERVICE,
    ChecksumDay,
    Installed,
    PluggedDisk,
    ScheduleFile,
    SchedulePlan,
    ScheduleSettings,
    Starter,
)
from rescue.paths import CRON_JOB, PLUGGED_RULES, UNIT_FOLDER

MARK = "# Written by 'rescue schedule install'"
"""In every file that is ours: one without it is never overwritten and never removed."""

CRON_TEMPLATE = "rescue.cron"
RULES_TEMPLATE = "rescue-plugged.rules"

UNITS = (MIRROR_SERVICE, MIRROR_TIMER, OVERDUE_SERVICE, OVERDUE_TIMER, FAILED_SERVICE)
TEMPLATES = (*UNITS, PLUGGED_SERVICE, PROVE_SERVICE, RULES_TEMPLATE, CRON_TEMPLATE)
PLUGGED_PATHS = (f"{UNIT_FOLDER}/{PLUGGED_SERVICE}", PLUGGED_RULES)
PROVE_PATH = f"{UNIT_FOLDER}/{PROVE_SERVICE}"
PATHS = (
    *(f"{UNIT_FOLDER}/{unit}" for unit in UNITS),
    *PLUGGED_PATHS,
    PROVE_PATH,
    CRON_JOB,
)
"""Every file that an installation of any kind may have written."""

# What needs no quoting in a unit (man 5 systemd.syntax, '%' and quotes) nor in a shell.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PARTUUID = re.compile(r"[0-9A-Fa-f-]+")
_PLAIN_COMMAND = re.compile(r"/[A-Za-z0-9._/+-]+")
_WEEK = tuple(day for day in ChecksumDay if day is not ChecksumDay.NEVER)


def checksum_due(
    day: ChecksumDay, *, today: date, last: date | None, whole: bool, cut: bool = False
) -> bool:
    """Whether a scheduled run compares every content.

    It does when none has since the last such day of the week, today included: a Sunday on which
    the machine was off is made up for on Monday, and nothing is compared twice. `last` is the
    day of the last complete run that compared, None where there was none; a day in the future
    came from a wrong clock, and counts as none. A mirror that is not `whole` (its last run did
    not complete) is made whole first, and so is one whose last comparison was `cut`: one that
    never gets through (a time limit) must not keep the mirror from its runs.
    """
    if day is ChecksumDay.NEVER or cut or not whole:
        return False
    latest = today - timedelta(days=(today.weekday() - _WEEK.index(day)) % 7)
    return last is None or last < latest or last > today


def schedule_files(
    settings: ScheduleSettings,
    *,
    starter: Starter,
    command: str,
    templates: Mapping[str, str],
    disks: Sequence[PluggedDisk] = (),
    metrics: str = "",
) -> tuple[ScheduleFile, ...]:
    """Return the files of a schedule, filled in.

    `command` is the absolute path of rescue; `templates` are texts by file name; `disks` are the
    enrolled mirrors'; `metrics` is the folder that the look at the age writes them to, '' for none.
    """
    values = {
        "@command@": command,
        "@at@": settings.at,
        "@delay@": str(settings.random_delay_minutes),
        "@prove@": "yes" if settings.prove else "no",
        "@after@": f"OnSuccess={PROVE_SERVICE}" if settings.prove else "# No proof follows.",
        "@metrics@": f"ReadWritePaths={unit_path(metrics)}" if metrics else "# No metrics.",
    }

    def filled(name: str) -> str:
        text = templates[name]
        for key, value in values.items():
            text = text.replace(key, value)
        return text

    if starter is Starter.CRON:
        return (ScheduleFile(path=CRON_JOB, text=filled(CRON_TEMPLATE), mode=0o755),)
    units = [*UNITS]
    units += [PLUGGED_SERVICE] if settings.when_plugged else []
    units += [PROVE_SERVICE] if settings.prove else []
    files = tuple(ScheduleFile(path=f"{UNIT_FOLDER}/{unit}", text=filled(unit)) for unit in units)
    if not settings.when_plugged:
        return files
    rules = _rules(templates[RULES_TEMPLATE], disks)
    return (*files, ScheduleFile(path=PLUGGED_RULES, text=rules))


def unit_path(path: str) -> str:
    """Return a printable path, which need not be there, as a word of a unit's line.

    Of these lines systemd takes quotes and backslashes away, and puts in what '%' stands for (man 7
    systemd.syntax, man 5 systemd.unit).
    """
    quoted = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"-{quoted}"'


def _rules(template: str, disks: Sequence[PluggedDisk]) -> str:
    """Return udev's rules: the line that names a partition once for each mirror."""
    lines = []
    for line in template.splitlines():
        if "@partuuid@" not in line:
            lines.append(line)
            continue
        lines += [
            line.replace("@partuuid@", disk.partuuid).replace("@name@", disk.name) for disk in disks
        ]
    return "".join(f"{line}\n" for line in lines)


def plan_schedule(
    settings: ScheduleSettings,
    *,
    starter: Starter,
    command: str,
    templates: Mapping[str, str],
    found: Mapping[str, str],
    disks: Sequence[PluggedDisk] = (),
    metrics: str = "",
) -> SchedulePlan | Refused:
    """Return what an installation writes, or every reason against it.

    `found` are the texts of those of PATHS that exist; `disks` are the enrolled mirrors';
    `metrics` is the folder that the look at the age writes them to, '' for none.
    """
    files = schedule_files(
        settings,
        starter=starter,
        command=command,
        templates=templates,
        disks=disks,
        metrics=metrics,
    )
    wanted = [file.path for file in files]
    refusals = [
        Refusal(
            code=ExitCode.REFUSED,
            reason=f"{path} exists, and was not written by 'rescue schedule'",
            hint="move it away, and install again",
        )
        for path in wanted
        if path in found and not _is_ours(found[path])
    ]
    if not _PLAIN_COMMAND.fullmatch(command):
        refusals.append(
            Refusal(
                code=ExitCode.REFUSED,
                reason=f"'{command}' cannot be used in a unit: only letters, digits and ./_+-",
                hint="ln -s that path to /usr/local/sbin/rescue, and install again",
            )
        )
    refusals += _plugged_refusals(settings, starter, disks)
    if refusals:
        return Refused(tuple(refusals))
    return SchedulePlan(
        starter=starter,
        files=files,
        stale=tuple(path for path in _ours(found) if path not in wanted),
    )


def _plugged_refusals(
    settings: ScheduleSettings, starter: Starter, disks: Sequence[PluggedDisk]
) -> list[Refusal]:
    """Return what prevents runs started by a disk, where they are requested."""
    if not settings.when_plugged:
        return []
    if starter is not Starter.SYSTEMD:
        return [
            Refusal(
                code=ExitCode.REFUSED,
                reason=(
                    "only systemd can start a run when a disk is plugged in, and it is not running"
                ),
                hint="rescue schedule install --no-when-plugged",
            )
        ]
    unnamed = [
        Refusal(
            code=ExitCode.REFUSED,
            reason=f"mirror '{disk.name}' cannot be used in a unit: only letters, digits and ._-",
            hint="prepare it again with --name",
        )
        for disk in disks
        if not _PLAIN_NAME.fullmatch(disk.name)
    ]
    unknown = [
        Refusal(
            code=ExitCode.REFUSED,
            reason=f"the root of mirror '{disk.name}' cannot be used in a udev rule: PARTUUID "
            f"'{disk.partuuid}'",
            hint="its record is damaged: prepare it again",
        )
        for disk in disks
        if not _PARTUUID.fullmatch(disk.partuuid)
    ]
    return unnamed + unknown


def plan_removal(*, starter: Starter, found: Mapping[str, str]) -> SchedulePlan:
    """Return what a removal deletes: every file that carries our mark, and no other."""
    return SchedulePlan(starter=starter, stale=_ours(found))


def installed(plan: SchedulePlan, found: Mapping[str, str]) -> Installed:
    """Given what an installation would write and the files that exist, compare the two."""
    if not _ours(found):
        return Installed.NO
    same = all(found.get(file.path) == file.text for file in plan.files) and not plan.stale
    return Installed.YES if same else Installed.OUTDATED


def _ours(found: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(path for path in PATHS if _is_ours(found.get(path, "")))


def _is_ours(text: str) -> bool:
    return any(line.startswith(MARK) for line in text.splitlines())
