"""`rescue mirrors`."""

import click

from rescue.cli.options import carry_out
from rescue.commands import mirrors as mirrors_command


@click.group()
def mirrors() -> None:
    """Manage the enrolled mirrors; 'rescue status' lists them."""


@mirrors.command("forget")
@click.argument("name")
def mirrors_forget(*, name: str) -> None:
    """Remove the mirror NAME from configuration and records; its disk is not touched."""
    carry_out(lambda screen: mirrors_command.forget(name, screen))
