"""`rescue wizard`, and `rescue` without a verb."""

import sys

import click

from rescue.cli.options import carry_out
from rescue.commands import wizard as wizard_command
from rescue.errors import ExitCode
from rescue.ui.prompt import at_a_terminal


@click.command()
@click.pass_context
def wizard(context: click.Context) -> None:
    """Guide you through everything with questions, from a bare disk to a nightly mirror.

    On a machine that runs from its mirror, it guides you back. Each step shows the command that
    does the same without questions.
    """
    group = context.find_root().command
    verbs = frozenset(group.commands) if isinstance(group, click.Group) else frozenset()
    carry_out(lambda screen: wizard_command.wizard(screen, verbs=verbs))


def without_a_verb(context: click.Context) -> None:
    """Start the wizard for a person; for a script, list the commands and report a usage error.

    Nobody is ever asked without a terminal.
    """
    if at_a_terminal():
        context.invoke(wizard)
    click.echo(context.get_help(), err=True)
    sys.exit(ExitCode.USAGE)
