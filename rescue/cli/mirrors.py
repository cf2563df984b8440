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
@click.option("--name", default="", help="Name of the mirror (default: the serial of its disk).")
@click.option(
    "--leave-out",
    multiple=True,
    metavar="MOUNT",
    help="Leave out what is mounted at MOUNT from another disk (swap: as fstab names it). The "
    "mirror starts without waiting for it.",
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
    """Turn TARGET (a device, by-id name or serial) into a bootable mirror of this system."""
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
@click.option("--checksum", is_flag=True, help="Compare the contents of every file.")
@click.option(
    "--scheduled",
    is_flag=True,
    help="Compare the contents of every file on the configured day of the week.",
)
@click.option(
    "--plugged",
    is_flag=True,
    help="For a run started by plugging in the disk: wait for another run to end, and announce "
    "on every terminal and by mail when the disk can be removed.",
)
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Allow any number of changes and deletions in this run (releases the brake).",
)
@click.option(
    "--accept-booted",
    is_flag=True,
    help="Overwrite a mirror that has been booted since its last run.",
)
@click.option(
    "--accept-content",
    multiple=True,
    metavar="PATH",
    help="Compare every file, and take the source's version of PATH and of everything below it, "
    "even where size and time are the same on both sides.",
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
    """Bring the mirror NAME (default: the attached one that has waited longest) up to date."""
    if strange := [path for path in accept_content if not path.startswith("/")]:
        raise click.UsageError(f"--accept-content needs an absolute path, not {strange[0]}")
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
        raise click.UsageError("--plugged needs the name of the mirror whose disk was plugged in")
    run = hotplug_command.mirror_hotplugged if plugged else mirror_command.mirror
    carry_out(lambda screen: run(options, screen), loud=True)


@click.command()
@click.argument("name", default="")
def audit(*, name: str) -> None:
    """Check the boot chain of the mirror NAME in its files, without booting it.

    Without NAME: the attached mirror that has waited longest.
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
