"""The configuration, /etc/rescue/rescue.toml: written by `prepare`, read by everything else."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w
from cattrs import Converter

from rescue import paths
from rescue.errors import UsageError
from rescue.model.fault import Fault, FaultsError, shown, unmet
from rescue.model.mirror.record import DiskRef, MirrorRecord
from rescue.model.mirror.rotation import RotationSettings, interval_hours
from rescue.model.proof import ProofSettings
from rescue.model.run.alarm import AlarmSettings
from rescue.model.run.hook import Hook, repeated_dumps
from rescue.model.run.schedule import ScheduleSettings
from rescue.store.settings_reader import read_settings
from rescue.system.files.atomic import write_atomic
from rescue.system.files.ownership import weak_spot

CONFIG_VERSION = 1


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

    def faults(self) -> Iterator[Fault]:
        """Return what cannot be meant."""
        odd = self.name in ("", ".", "..") or set("/\0") & set(self.name)
        return unmet(
            self,
            ("name", not odd, "what a file can be called"),
            ("interval_hours", self.interval_hours >= 0, "0 or more"),
        )


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

    def faults(self) -> Iterator[Fault]:
        """Return what cannot be meant."""
        return unmet(
            self,
            ("brake_share", 0 < self.brake_share <= 1, "above 0 and at most 1"),
            ("brake_count", self.brake_count >= 0, "0 or more"),
            ("overdue_hours", self.overdue_hours > 0, "above 0"),
            ("time_limit_hours", self.time_limit_hours > 0, "above 0"),
            ("package_wait_minutes", self.package_wait_minutes >= 0, "0 or more"),
            ("bandwidth_kib", self.bandwidth_kib >= 0, "0 or more"),
        )


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

    def faults(self) -> Iterator[Fault]:
        """Return what its sections cannot mean together; each of them checks itself."""
        names = [entry.name for entry in self.mirror]
        for number, name in enumerate(names):
            if name in names[:number]:
                yield Fault(
                    key=f"mirror[{number}].name",
                    found=f"is {shown(name)}",
                    allowed="another one than that of the others: two mirrors have the same name",
                )
        yield from repeated_dumps(self.hook)

    def with_mirror(self, entry: MirrorEntry, *, replaced: str = "") -> "Config":
        """Return the same configuration with this mirror added, or updated in place.

        Its interval stays. The mirror whose table was on the disk before (`replaced`, ''
        for none) is removed. One of the same serial is not: an adapter may report its own
        serial for every disk.
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

    Raises FaultsError with every key that cannot be meant and what it should be, UsageError where
    it is no TOML or of a newer rescue.
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
    config, faults = read_settings(data, Config)
    if faults or config is None:
        raise FaultsError(where, faults)
    return config


def load(path: Path = paths.CONFIG) -> Config:
    """Read the configuration.

    Raises UsageError where it is missing, not valid, or writable by anyone but root: its hooks
    run as root.
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
    """Return the configured hooks, none if there is no configuration yet. Raises UsageError."""
    return load(path).hook if path.exists() else ()


def save(config: Config, path: Path = paths.CONFIG) -> None:
    """Write the configuration, atomically, readable by root alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, tomli_w.dumps(_plain(config)).encode(), mode=0o600)


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


def _plain(config: Config) -> dict[str, Any]:
    plain: dict[str, Any] = Converter().unstructure(config)
    # With 'hook = []' in the file a person could no longer add a [[hook]] at its end.
    return {key: value for key, value in plain.items() if value not in ((), [])}


def _entry(disk: DiskRef) -> DiskEntry:
    return DiskEntry(table_uuid=disk.table_uuid, serial=disk.id.serial, wwn=disk.id.wwn)


def check(config: Config, *, where: str) -> None:
    """Raise FaultsError with every key whose value cannot be meant."""
    _, faults = read_settings(tomllib.loads(tomli_w.dumps(_plain(config))), Config)
    if faults:
        raise FaultsError(where, faults)
