"""`rescue prepare`, `mirror`, `audit` and `failback`."""

import click

from rescue.cli.options import carry_out, expect_a_name, writes_a_disk
from rescue.commands import audit as audit_command
from rescue.commands import failback as failback_command
from rescue.commands import hotplug as hotplug_command
from rescue.commands import mirror as mirror_command
from rescue.commands import prepare as prepare_command


@click.command()
@click.argument("target")
@writes_a_disk
@click.option("--name", default="", help="What to call the mirror (default: its serial).")
@click.option(
    "--leave-out",
    multiple=True,
    metavar="MOUNT",
    help="Make the mirror without what is mounted there from another disk (swap: as fstab names "
    "it); its own fstab does not wait for it.",
)
def prepare(
    *,
    target: str,
    dry_run: bool,
    as_json: bool,
    yes: bool,
    expect_serial: str,
    erase: str,
    name: str,
    leave_out: tuple[str, ...],
) -> None:
    """Make TARGET (a device, by-id name or serial) a mirror of this system that boots."""
    expect_a_name(yes=yes, serial=expect_serial)
    options = prepare_command.PrepareOptions(
        target=target,
        name=name,
        erase=erase,
        expected=expect_serial,
        ask=not yes,
        leave_out=tuple(dict.fromkeys(leave_out)),
    )
    if dry_run:
        carry_out(lambda screen: prepare_command.show(options, screen, as_json=as_json), shows=True)
    else:
        carry_out(lambda screen: prepare_command.prepare(options, screen))


@click.command()
@click.argument("name", default="")
@click.option("--checksum", is_flag=True, help="Compare the content of every file.")
@click.option(
    "--scheduled",
    is_flag=True,
    help="Compare every content on the day of the week that the configuration says.",
)
@click.option(
    "--plugged",
    is_flag=True,
    help="As a disk that is plugged in starts it: wait for another run, and tell people on every "
    "terminal and by mail when it can be pulled.",
)
@click.option("--accept-changes", is_flag=True, help="Release the brake for this run.")
@click.option(
    "--accept-booted",
    is_flag=True,
    help="Overwrite a mirror that was started as the running system since its last run.",
)
@click.option(
    "--accept-content",
    multiple=True,
    metavar="PATH",
    help="Compare, and take the source's content of PATH and what is below it, though size and "
    "time are those of the mirror's file.",
)
def mirror(
    *,
    name: str,
    checksum: bool,
    scheduled: bool,
    plugged: bool,
    accept_changes: bool,
    accept_booted: bool,
    accept_content: tuple[str, ...],
) -> None:
    """Make the mirror NAME (default: the attached one that waited longest) equal again."""
    if strange := [path for path in accept_content if not path.startswith("/")]:
        raise click.UsageError(f"--accept-content takes absolute paths: {strange[0]}")
    options = mirror_command.MirrorOptions(
        name=name,
        checksum=checksum or bool(accept_content),
        scheduled=scheduled,
        hotplug=plugged,
        accept_changes=accept_changes,
        accept_booted=accept_booted,
        accept_content=accept_content,
    )
    if plugged and not name:
        raise click.UsageError("--plugged needs the name of the mirror whose disk it was")
    run = hotplug_command.mirror_hotplugged if plugged else mirror_command.mirror
    carry_out(lambda screen: run(options, screen), loud=True)


@click.command()
@click.argument("name", default="")
def audit(*, name: str) -> None:
    """Follow the boot chain of the mirror NAME in files, without booting it.

    Without NAME: of the attached one that waited longest.
    """
    carry_out(lambda screen: audit_command.audit(name, screen), shows=True)


@click.command()
@click.argument("target")
@writes_a_disk
def failback(
    *, target: str, dry_run: bool, as_json: bool, yes: bool, expect_serial: str, erase: str
) -> None:
    """Make TARGET (a new or repaired disk) the first disk again, from the running mirror."""
    expect_a_name(yes=yes, serial=expect_serial)
    options = failback_command.FailbackOptions(
        target=target, erase=erase, expected=expect_serial, ask=not yes
    )
    if dry_run:
        carry_out(
            lambda screen: failback_command.show(options, screen, as_json=as_json), shows=True
        )
    else:
        carry_out(lambda screen: failback_command.failback(options, screen))
