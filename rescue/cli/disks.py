"""`rescue disks`."""

import click

from rescue.cli.options import carry_out
from rescue.commands import disks as disks_command


@click.command()
@click.option("--long", is_flag=True, help="Show every name of each disk.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole machine as JSON.")
def disks(*, long: bool, as_json: bool) -> None:
    """List the disks: identity, size, contents, and whether they are in use."""
    carry_out(lambda screen: disks_command.disks(screen, long=long, as_json=as_json), shows=True)
