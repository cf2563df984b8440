"""The configuration, /etc/rescue/rescue.toml: written by `prepare`, read by everything else."""

import math
import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError

from rescue import paths
from rescue.errors import UsageError
from rescue.model.alarm import AlarmSettings
from rescue.model.hook import Hook, hook_faults
from rescue.model.proof import ProofSettings
from rescue.model.record import DiskRef, MirrorRecord
from rescue.model.rotation import RotationSettings, interval_hours
from rescue.model.schedule import ScheduleSettings
from rescue.system import apprise
from rescue.system.files import write_atomic
from rescue.system.ownership import weak_spot

CONFIG_VERSION = 1

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_ADDRESS = re.compile(r"[A-Za-z0-9._+=-]+(@[A-Za-z0-9.-]+)?")
_LONGEST_DELAY = 12 * 60


@dataclass(frozen=True)
class DiskEntry:
    """A disk as the configuration names it, never by its kernel name or its size.

    `serial` and `wwn` are what the disk itself says (`rescue disks` shows them); at least one of
    them is there. `table_uuid` is the identifier of its partition table.
    """

    table_uuid: str
    serial: str = ""
    wwn: str = ""


@dataclass(frozen=True)
class MirrorEntry:
    """One enrolled mirror, as `rescue prepare` writes it.

    `name` is what commands and state files call it; `disk` is what it is recognised by. A mirror
    whose last complete run is older than `interval_hours` is overdue, however young the others are:
    a disk that comes from the safe once a week has 200. 0 stands for `run.overdue_hours`, and a day
    more for each other mirror.
    """

    name: str
    disk: DiskEntry
    interval_hours: float = 0.0


@dataclass(frozen=True)
class RunLimits:
    """What a nightly run is trusted with.

    A run that would delete or change more than `brake_share` of all files (0 to 1) and more than
    `brake_count` files stops. Where no mirror's last complete run is younger than `overdue_hours`,
    the absence of all mirrors is a failure and no longer a skipped run. A run that takes longer
    than `time_limit_hours` is stopped, and its mirror is incomplete; `bandwidth_kib` limits what it
    copies (KiB a second), and 0 is no limit. A run that begins while apt or dpkg is at work waits
    for it, `package_wait_minutes` at most (0: not at all).
    """

    brake_share: float = 0.25
    brake_count: int = 10_000
    overdue_hours: float = 36.0
    time_limit_hours: float = 20.0
    bandwidth_kib: int = 0
    package_wait_minutes: float = 15.0


@dataclass(frozen=True)
class Config:
    """The whole configuration. `version` is the version of the file's format."""

    version: int
    source: DiskEntry
    mirror: tuple[MirrorEntry, ...] = ()
    run: RunLimits = field(default_factory=RunLimits)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    rotation: RotationSettings = field(default_factory=RotationSettings)
    hook: tuple[Hook, ...] = ()
    alarm: AlarmSettings = field(default_factory=AlarmSettings)
    prove: ProofSettings = field(default_factory=ProofSettings)

    def with_mirror(self, entry: MirrorEntry, *, replaced: str = "") -> "Config":
        """Return the same configuration with this mirror added, or put in its old place.

        Its interval stays. The mirror whose table was on the disk before (`replaced`, '' for none)
        is forgotten. One of the same serial is not: an adapter may give every disk its own.
        """
        before = next((each for each in self.mirror if each.name == entry.name), entry)
        others = tuple(
            each
            for each in self.mirror
            if each.name != entry.name and (not replaced or each.disk.table_uuid != replaced)
        )
        return replace(self, mirror=(*others, replace(entry, interval_hours=before.interval_hours)))

    def without_mirror(self, name: str) -> "Config":
        """Return the same configuration without the mirror of that name."""
        return replace(self, mirror=tuple(each for each in self.mirror if each.name != name))

    @property
    def intervals(self) -> dict[str, float]:
        """Each mirror's interval in hours, by its name."""
        return {
            entry.name: interval_hours(
                entry.interval_hours,
                overdue_hours=self.run.overdue_hours,
                mirrors=len(self.mirror),
            )
            for entry in self.mirror
        }


def parse(text: str, *, where: str) -> Config:
    """Given the TOML text, return the configuration. `where` names the file in messages.

    Raises UsageError that names the key and says what it should be.
    """
    try:
        data = tomllib.loads(text)
    # ValueError: a number of more digits than Python takes; RecursionError: lists in lists.
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not valid TOML: {error}") from error
    version = data.get("version")
    if not isinstance(version, int) or version > CONFIG_VERSION:
        raise UsageError(
            f"{where}: key 'version' is {version!r}, this rescue knows {CONFIG_VERSION}",
            hint="install the newer rescue on this machine, or correct the key",
        )
    try:
        config = _converter().structure(data, Config)
    except BaseValidationError as error:
        said = "; ".join(_by_key(line) for line in transform_error(error))
        raise UsageError(f"{where}: {said}", hint="correct the key; see rescue.toml(5)") from error
    check(config, where=where)
    return config


def load(path: Path = paths.CONFIG) -> Config:
    """Read the configuration.

    Raises UsageError where there is none, it is not valid, or somebody else than root could change
    it: its hooks run as root.
    """
    try:
        if spot := weak_spot(path):
            raise UsageError(
                f"{path} is not obeyed: others than root could change it ({spot.path} {spot.why})",
                hint=f"look at what is in it; then: {spot.mend}",
            )
        return parse(path.read_text(encoding="utf-8"), where=str(path))
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path} is not valid TOML: line {number} is not UTF-8",
            hint="write the line anew, with an editor that saves UTF-8",
        ) from error
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} does not exist: no mirror is enrolled on this machine",
            hint="prepare one first: 'rescue disks', then 'rescue prepare DISK'",
        ) from error


def hooks(path: Path = paths.CONFIG) -> tuple[Hook, ...]:
    """Return the hooks of the configuration, none where there is none yet. Raises UsageError."""
    return load(path).hook if path.exists() else ()


def save(config: Config, path: Path = paths.CONFIG) -> None:
    """Write the configuration, atomically, readable by root alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain: dict[str, Any] = Converter().unstructure(config)
    # With 'hook = []' in the file a person could no longer add a [[hook]] at its end.
    plain = {key: value for key, value in plain.items() if value not in ((), [])}
    write_atomic(path, tomli_w.dumps(plain).encode(), mode=0o600)


def enrol(record: MirrorRecord, path: Path = paths.CONFIG, *, replaced: str = "") -> Config:
    """Write the mirror of this record into the configuration, keeping every other key.

    `replaced` is the id of the partition table that was on its disk before. Returns the
    configuration that holds from now on.
    """
    entry = MirrorEntry(name=record.name, disk=_entry(record.mirror))
    source = _entry(record.source)
    if path.exists():
        config = replace(load(path), source=source)
    else:
        config = Config(version=CONFIG_VERSION, source=source)
    enrolled = config.with_mirror(entry, replaced=replaced)
    save(enrolled, path)
    return enrolled


def _entry(disk: DiskRef) -> DiskEntry:
    return DiskEntry(table_uuid=disk.table_uuid, serial=disk.id.serial, wwn=disk.id.wwn)


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _words)
    converter.register_structure_hook(float, _finite)
    return converter


def _words(value: object, _: type) -> tuple[str, ...]:
    """Return a list of texts as it is; one text is not taken for a list of its letters."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError('expected a list of texts, like ["sync", "--file-system"]')
    return tuple(value)


def _finite(value: object, _: type) -> float:
    """Return a number as it is; TOML also has 'inf' and 'nan', of which no limit can be made."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError("expected a number that has an end")
    return float(value)


def _by_key(line: str) -> str:
    """Turn cattrs' 'what @ $.run.brake_share' around: the key first, as people look for it."""
    what, _, where = line.partition(" @ ")
    return f"key '{where.removeprefix('$.').removeprefix('$')}': {what}" if where else what


def is_time_of_day(text: str) -> bool:
    """Whether a text is a time as the schedule takes it: '03:15'."""
    return _TIME_OF_DAY.fullmatch(text) is not None


def _is_plain_path(text: str) -> bool:
    return not text or (text.startswith("/") and text.isprintable())


def check(config: Config, *, where: str) -> None:
    """Raise UsageError that names the first key whose value cannot be meant."""
    when, alarm = config.schedule, config.alarm
    delay = when.random_delay_minutes
    for key, good, wanted in (
        ("run.brake_share", 0 < config.run.brake_share <= 1, "above 0 and at most 1"),
        ("run.brake_count", config.run.brake_count >= 0, "0 or more"),
        ("run.overdue_hours", config.run.overdue_hours > 0, "above 0"),
        ("run.time_limit_hours", config.run.time_limit_hours > 0, "above 0"),
        ("run.package_wait_minutes", config.run.package_wait_minutes >= 0, "0 or more"),
        ("run.bandwidth_kib", config.run.bandwidth_kib >= 0, "0 or more"),
        ("schedule.at", is_time_of_day(when.at), "a time from 00:00 to 23:59"),
        ("schedule.random_delay_minutes", 0 <= delay <= _LONGEST_DELAY, "from 0 to 720"),
        ("prove.memory_mib", config.prove.memory_mib >= 256, "256 or more"),
        ("prove.cpus", config.prove.cpus >= 1, "1 or more"),
        ("prove.time_limit_minutes", config.prove.time_limit_minutes > 0, "above 0"),
        ("prove.checks", all(map(str.strip, config.prove.checks)), "commands that are not empty"),
        ("schedule.notify", _ADDRESS.fullmatch(when.notify), "one mail address"),
        ("alarm.critical_hours", alarm.critical_hours > 0, "above 0"),
        ("alarm.history_runs", alarm.history_runs > 0, "above 0"),
        ("alarm.metrics", _is_plain_path(alarm.metrics), "a path from / in letters, or empty"),
        ("alarm.apprise", all(map(apprise.is_url, alarm.apprise)), "URLs of services"),
    ):
        if not good:
            raise UsageError(f"{where}: key '{key}' must be {wanted}")
    for entry in config.mirror:
        if entry.name in ("", ".", "..") or set("/\0") & set(entry.name):
            raise UsageError(f"{where}: key 'name' of a mirror must be what a file can be called")
        if entry.interval_hours < 0:
            raise UsageError(
                f"{where}: key 'interval_hours' of mirror '{entry.name}' must be 0 or more"
            )
    for key, wanted in hook_faults(config.hook):
        raise UsageError(f"{where}: key '{key}' must be {wanted}")
    names = [entry.name for entry in config.mirror]
    if len(set(names)) != len(names):
        raise UsageError(f"{where}: key 'mirror': two mirrors have the same name")
