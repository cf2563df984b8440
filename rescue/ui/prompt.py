"""The one place that asks questions."""

import sys

from rescue.errors import UsageError
from rescue.model.medium import MediumPlan
from rescue.model.plan import Plan


def ask_identity(plan: Plan | MediumPlan) -> str:
    """Ask the person to type the identity of the disk that the plan would write to.

    Returns what was typed ('' when the question was left). Raises UsageError where standard
    input is no terminal: a program that runs without a person never asks.
    """
    disk = plan.disk if isinstance(plan, MediumPlan) else plan.record.mirror.id
    if not sys.stdin.isatty():
        raise UsageError(
            "writing to a disk needs a person's confirmation, and standard input is no terminal",
            hint=f"for scripts: --yes --expect-serial {disk.name}",
        )
    # Half of a command's start, which a nightly run that asks nothing does without.
    import questionary

    answer = questionary.text(
        f"Everything on {plan.target_path} will be lost. Type its identity to go on:",
        instruction="(as shown above; nothing else continues) ",
    ).ask()
    return str(answer or "")
