"""`rescue disks`."""

import click

from rescue.cli.options import carry_out
from rescue.commands import disks as disks_command


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the whole machine as JSON.")
def disks(*, as_json: bool) -> None:
    """List the disks: identity, size, what each holds, whether it is in use."""
    carry_out(lambda screen: disks_command.disks(screen, as_json=as_json), shows=True)
