"""Options that several verbs share, and the way each verb ends."""

import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NoReturn, TypeVar

import click

from rescue.cli import outcome
from rescue.model.virtual import Accel
from rescue.ui import outlet
from rescue.ui.screen import Screen

Verb = TypeVar("Verb", bound=Callable[..., Any])


def carry_out(
    command: Callable[[Screen], IntEnum], *, loud: bool = False, shows: bool = False
) -> NoReturn:
    """Run a command and end the process with its exit code; the only place that does.

    A command that only `shows` something stops when its output is closed (see
    `outlet.outlets`). Any other runs to completion, and its exit code says what it did even if
    nobody reads its output.
    """
    code = outcome.carry_out(command, loud=loud)
    if not shows:
        outlet.excuse()
    sys.exit(code)


accel_option = click.option(
    "--accel",
    type=click.Choice([each.value for each in Accel]),
    callback=lambda _context, _parameter, value: Accel(value) if value else None,
    envvar="RESCUE_ACCEL",
    show_envvar=True,
    help="How to run the virtual machine: with KVM, by emulation (tcg), or with KVM where it "
    "works (auto). Default: as configured.",
)


def writes_a_disk(verb: Verb) -> Verb:
    """Add the options that all disk-overwriting verbs share."""
    options = (
        click.option("--dry-run", is_flag=True, help="Show the plan, then stop."),
        click.option(
            "--json", "as_json", is_flag=True, help="With --dry-run: print the plan as JSON."
        ),
        click.option("--yes", is_flag=True, help="Ask no questions; needs --expect-serial."),
        click.option("--expect-serial", default="", help="Identity that the disk must have."),
        click.option(
            "--erase",
            default="",
            metavar="IDENTITY",
            help="Erase what the disk with this identity holds now.",
        ),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


def expect_a_name(*, yes: bool, serial: str) -> None:
    """Raise click's UsageError if no disk is named and there is nobody to ask."""
    if yes and not serial:
        raise click.UsageError("--yes needs --expect-serial: a script has to name its disk, too")
