"""The command line: arguments in, exit code out; the only place that ends the process."""

import os
import sys
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

import rescue
from rescue.commands import audit as audit_command
from rescue.commands import disks as disks_command
from rescue.commands import failback as failback_command
from rescue.commands import media as media_command
from rescue.commands import mirror as mirror_command
from rescue.commands import notify as notify_command
from rescue.commands import prepare as prepare_command
from rescue.commands import restore as restore_command
from rescue.commands import salvage as salvage_command
from rescue.commands import schedule as schedule_command
from rescue.commands import status as status_command
from rescue.ending import carry_out
from rescue.model.schedule import ChecksumDay
from rescue.ui.screen import Screen

Verb = TypeVar("Verb", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(rescue.__version__, prog_name="rescue")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def cli(context: click.Context, *, debug: bool) -> None:
    """Keep a second disk that boots: prepare it once, mirror onto it every night."""
    context.obj = debug


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print the whole machine as JSON.")
def disks(*, as_json: bool) -> None:
    """List the disks: identity, size, what each holds, whether it is in use."""
    _carry_out(lambda screen: disks_command.disks(screen, as_json=as_json))


def _writes_a_disk(verb: Verb) -> Verb:
    """Give a verb that overwrites a disk the options that all of them have."""
    options = (
        click.option("--dry-run", is_flag=True, help="Show the plan and stop there."),
        click.option(
            "--json", "as_json", is_flag=True, help="With --dry-run: print the plan as JSON."
        ),
        click.option("--yes", is_flag=True, help="Ask nothing; needs --expect-serial."),
        click.option("--expect-serial", default="", help="The identity that the disk must have."),
        click.option(
            "--erase",
            default="",
            metavar="IDENTITY",
            help="Give up what the disk of this identity holds now.",
        ),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


def _expect_a_name(*, yes: bool, serial: str) -> None:
    if yes and not serial:
        raise click.UsageError("--yes needs --expect-serial: a script names its disk too")


@cli.command()
@click.argument("target")
@_writes_a_disk
@click.option("--name", default="", help="What to call the mirror (default: its serial).")
def prepare(
    *,
    target: str,
    dry_run: bool,
    as_json: bool,
    yes: bool,
    expect_serial: str,
    erase: str,
    name: str,
) -> None:
    """Make TARGET (a device, by-id name or serial) a mirror of this system that boots."""
    _expect_a_name(yes=yes, serial=expect_serial)
    options = prepare_command.PrepareOptions(
        target=target, name=name, erase=erase, expected=expect_serial, ask=not yes
    )
    if dry_run:
        _carry_out(lambda screen: prepare_command.show(options, screen, as_json=as_json))
    else:
        _carry_out(lambda screen: prepare_command.prepare(options, screen))


@cli.command()
@click.argument("name", default="")
@click.option("--checksum", is_flag=True, help="Compare the content of every file.")
@click.option(
    "--scheduled",
    is_flag=True,
    help="Compare every content on the day of the week that the configuration says.",
)
@click.option("--accept-changes", is_flag=True, help="Release the brake for this run.")
@click.option(
    "--accept-booted",
    is_flag=True,
    help="Overwrite a mirror that was started as the running system since its last run.",
)
def mirror(
    *, name: str, checksum: bool, scheduled: bool, accept_changes: bool, accept_booted: bool
) -> None:
    """Make the mirror NAME (default: the attached one that waited longest) equal again."""
    options = mirror_command.MirrorOptions(
        name=name,
        checksum=checksum,
        scheduled=scheduled,
        accept_changes=accept_changes,
        accept_booted=accept_booted,
    )
    _carry_out(lambda screen: mirror_command.mirror(options, screen), loud=True)


@cli.command()
@click.argument("name", default="")
def audit(*, name: str) -> None:
    """Follow the boot chain of the mirror NAME in files, without booting it."""
    _carry_out(lambda screen: audit_command.audit(name, screen))


@cli.command()
@click.argument("target")
@_writes_a_disk
def failback(
    *, target: str, dry_run: bool, as_json: bool, yes: bool, expect_serial: str, erase: str
) -> None:
    """Make TARGET (a new or repaired disk) the first disk again, from the running mirror."""
    _expect_a_name(yes=yes, serial=expect_serial)
    options = failback_command.FailbackOptions(
        target=target, erase=erase, expected=expect_serial, ask=not yes
    )
    if dry_run:
        _carry_out(lambda screen: failback_command.show(options, screen, as_json=as_json))
    else:
        _carry_out(lambda screen: failback_command.failback(options, screen))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--log", is_flag=True, help="Write what is not well to the system's log, too.")
def status(*, as_json: bool, log: bool) -> None:
    """Say from which disk this machine runs, how its mirrors are, and what to do next.

    Ends with 0 where all is well, 1 for a warning, 2 where it is critical, as plugins of
    monitoring systems do.
    """
    _carry_out(lambda screen: status_command.status(screen, as_json=as_json, log=log), loud=log)


@cli.group()
def schedule() -> None:
    """Run the mirror every day, compare once a week, and raise an alarm where it grows old."""


@schedule.command("install")
@click.option("--at", metavar="HH:MM", help="Local time of the day (default: as configured).")
@click.option(
    "--checksum-day",
    type=click.Choice([day.value for day in ChecksumDay if day is not ChecksumDay.NEVER]),
    help="The day on which every content is compared (default: as configured).",
)
@click.option("--no-checksum", is_flag=True, help="Never compare every content.")
def schedule_install(*, at: str | None, checksum_day: str | None, no_checksum: bool) -> None:
    """Install the schedule, or change the one that is there."""
    if checksum_day and no_checksum:
        raise click.UsageError("--checksum-day and --no-checksum contradict each other")
    day = ChecksumDay.NEVER if no_checksum else ChecksumDay(checksum_day) if checksum_day else None
    options = schedule_command.InstallOptions(at=at, checksum_day=day)
    _carry_out(lambda screen: schedule_command.install(options, screen))


@schedule.command("show")
def schedule_show() -> None:
    """Show the schedule, and when the last runs were and the next will be."""
    _carry_out(schedule_command.show)


@schedule.command("remove")
def schedule_remove() -> None:
    """Remove what the installation wrote; the settings stay in the configuration."""
    _carry_out(schedule_command.remove)


@cli.command(hidden=True)
@click.argument("unit")
def notify(*, unit: str) -> None:
    """Tell people that a unit of the schedule failed; started by OnFailure= of that unit."""
    _carry_out(lambda screen: notify_command.tell_of_failure(unit, screen), loud=True)


@cli.command()
@click.option(
    "--from",
    "origin",
    default="",
    metavar="DISK|PARTITION|IMAGE",
    help="Where the files come from (default: the dead disk, by its recorded identity).",
)
@click.option(
    "--tree", "trees", multiple=True, metavar="PATH", help="What comes back (default: /home)."
)
@click.option("--keep-losers", is_flag=True, help="Put aside every file that is replaced.")
@click.option("--dry-run", is_flag=True, help="Show what would come back and stop there.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print the plan as JSON.")
@click.option("--yes", is_flag=True, help="Ask nothing; needs --expect-serial.")
@click.option(
    "--expect-serial", default="", help="The identity of the dead disk, or the image's path."
)
@click.option("--report", default="", metavar="FILE", help="Write FILE.json and FILE.txt.")
def restore(
    *,
    origin: str,
    trees: tuple[str, ...],
    keep_losers: bool,
    dry_run: bool,
    as_json: bool,
    yes: bool,
    expect_serial: str,
    report: str,
) -> None:
    """Bring the users' files back from the dead disk onto the mirror that runs now.

    Nothing is deleted, nothing that is newer here is replaced, and nothing is written to the dead
    disk.
    """
    _expect_a_name(yes=yes, serial=expect_serial)
    options = restore_command.RestoreOptions(
        origin=origin,
        trees=trees,
        keep_losers=keep_losers,
        expected=expect_serial,
        ask=not yes,
        report=report,
    )
    if dry_run:
        _carry_out(lambda screen: restore_command.show(options, screen, as_json=as_json))
    else:
        _carry_out(lambda screen: restore_command.restore(options, screen), loud=yes)


@cli.command()
@click.argument("disk")
@click.option("--to", required=True, metavar="FILE", help="The image; its map is FILE.map.")
def salvage(*, disk: str, to: str) -> None:
    """Image a dying DISK into FILE with GNU ddrescue; run again, it goes on."""
    _carry_out(lambda screen: salvage_command.salvage(disk, to, screen))


@cli.group()
def media() -> None:
    """The USB rescue medium, which starts the mirror whatever became of the first disk."""


_A_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True)

_with_rescue_system = click.option(
    "--with-rescue-system",
    "rescue_system",
    is_flag=True,
    help="Add a small Debian that is started in memory; building it takes minutes.",
)
_ssh_key = click.option(
    "--ssh-key",
    type=_A_FILE,
    metavar="FILE",
    help="Public keys that may log in to the rescue system; without them it has no ssh.",
)


@media.command("image")
@click.argument("file", type=click.Path(path_type=Path, resolve_path=True))
@_with_rescue_system
@_ssh_key
def media_image(*, file: Path, rescue_system: bool, ssh_key: Path | None) -> None:
    """Build the medium into a new FILE, for a stick or a virtual machine."""
    build = media_command.ImageOptions(rescue_system=rescue_system, ssh_key=ssh_key)
    _carry_out(lambda screen: media_command.image(file, build, screen))


@media.command("write")
@click.argument("disk")
@_writes_a_disk
@click.option(
    "--image",
    type=_A_FILE,
    help="Write this image (from 'rescue media image') and build none.",
)
@_with_rescue_system
@_ssh_key
@click.option(
    "--accept-fixed",
    default="",
    metavar="IDENTITY",
    help="Write to the disk of this identity though it is not removable.",
)
def media_write(
    *,
    disk: str,
    dry_run: bool,
    as_json: bool,
    image: Path | None,
    rescue_system: bool,
    ssh_key: Path | None,
    yes: bool,
    expect_serial: str,
    erase: str,
    accept_fixed: str,
) -> None:
    """Make DISK (a device, by-id name or serial of a USB stick) a rescue medium."""
    _expect_a_name(yes=yes, serial=expect_serial)
    if image is not None and (rescue_system or ssh_key):
        raise click.UsageError("--image is a medium that is built already: name it alone")
    options = media_command.WriteOptions(
        target=disk,
        image=image,
        build=media_command.ImageOptions(rescue_system=rescue_system, ssh_key=ssh_key),
        erase=erase,
        accept_fixed=accept_fixed,
        expected=expect_serial,
        ask=not yes,
    )
    if dry_run:
        _carry_out(lambda screen: media_command.show(options, screen, as_json=as_json))
    else:
        _carry_out(lambda screen: media_command.write(options, screen))


def _carry_out(command: Callable[[Screen], IntEnum], *, loud: bool = False) -> NoReturn:
    sys.exit(carry_out(command, loud=loud))


def main() -> None:
    """Start here: `rescue` on the command line."""
    # What GRUB and the initramfs tools write gets the modes of a system, whoever called us; our
    # own state files name their modes themselves.
    os.umask(0o022)
    cli()
