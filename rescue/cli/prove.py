"""The verb that boots a mirror without touching it."""

import click

from rescue.cli.options import carry_out
from rescue.commands import prove as prove_command


@click.command()
@click.argument("name", default="")
@click.option("--scheduled", is_flag=True, help="Do nothing where the last run is proven already.")
def prove(*, name: str, scheduled: bool) -> None:
    """Boot the mirror NAME (default: the attached one that was written last) in a virtual machine.

    Over a throw-away overlay, without network: no byte of the mirror changes.
    """
    options = prove_command.ProveOptions(name=name, scheduled=scheduled)
    carry_out(lambda screen: prove_command.prove(options, screen), loud=True)
