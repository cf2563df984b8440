"""`rescue prove`."""

import click

from rescue.cli.options import accel_option, carry_out
from rescue.commands import prove as prove_command
from rescue.model.virtual import Accel


@click.command()
@click.argument("name", default="")
@click.option(
    "--scheduled", is_flag=True, help="Do nothing if the last run has already been proven."
)
@accel_option
def prove(*, name: str, scheduled: bool, accel: Accel | None) -> None:
    """Boot the mirror NAME (default: the attached one that was written last) in a virtual machine.

    It runs on a temporary overlay, without network: not a byte of the mirror changes.
    """
    options = prove_command.ProveOptions(name=name, scheduled=scheduled, accel=accel)
    carry_out(lambda screen: prove_command.prove(options, screen), loud=True)
