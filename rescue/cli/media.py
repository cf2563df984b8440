"""`rescue media`."""

from pathlib import Path

import click

from rescue.cli.options import carry_out, expect_a_name, writes_a_disk
from rescue.commands import media as media_command


@click.group()
def media() -> None:
    """Make the USB rescue medium, which starts a mirror whatever happened to the first disk."""


_A_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True)

_with_rescue_system = click.option(
    "--with-rescue-system",
    "rescue_system",
    is_flag=True,
    help="Add a small Debian that runs from memory; building it takes several minutes.",
)
_ssh_key = click.option(
    "--ssh-key",
    type=_A_FILE,
    metavar="FILE",
    help=(
        "Public keys that may log in to the rescue system by SSH; without this option it has no "
        "SSH server."
    ),
)


@media.command("image")
@click.argument("file", type=click.Path(path_type=Path, resolve_path=True))
@_with_rescue_system
@_ssh_key
def media_image(*, file: Path, rescue_system: bool, ssh_key: Path | None) -> None:
    """Build the medium as a new image FILE, for a stick or a virtual machine."""
    build = media_command.ImageOptions(rescue_system=rescue_system, ssh_key=ssh_key)
    carry_out(lambda screen: media_command.image(file, build, screen))


@media.command("write")
@click.argument("disk")
@writes_a_disk
@click.option(
    "--image",
    type=_A_FILE,
    help="Write this finished image (from 'rescue media image') instead of building one.",
)
@_with_rescue_system
@_ssh_key
@click.option(
    "--accept-fixed",
    default="",
    metavar="IDENTITY",
    help="Write to the disk with this identity even though it is not removable.",
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
    expect_a_name(yes=yes, serial=expect_serial)
    if image is not None and (rescue_system or ssh_key):
        raise click.UsageError(
            "--image names a finished medium: options that build one cannot be used with it"
        )
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
        carry_out(lambda screen: media_command.show(options, screen, as_json=as_json), shows=True)
    else:
        carry_out(lambda screen: media_command.write(options, screen))
