"""The one place that asks questions."""

import sys
from enum import StrEnum

from rescue.errors import UsageError
from rescue.model.medium import MediumPlan
from rescue.model.plan import Plan
from rescue.model.restore import RestorePlan


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


class RestoreChoice(StrEnum):
    """What a person answers to a shown restore."""

    BRING = "bring them back"
    ASIDE = "bring them back, and put aside every file that one of them replaces"
    LIST = "list every file first"
    LEAVE = "leave: nothing is brought back"


def ask_restore(plan: RestorePlan) -> RestoreChoice:
    """Ask what shall be done with a shown restore; LEAVE where the question was left.

    Raises UsageError where standard input is no terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            "bringing files back needs a person's word, and standard input is no terminal",
            hint=f"for scripts: --yes --expect-serial '{plan.origin.name}'",
        )
    import questionary

    count = sum(len(told.comes) for told in plan.users)
    answer = questionary.select(
        f"{count} files would come back from {plan.origin.name}:",
        choices=[questionary.Choice(title=choice.value, value=choice) for choice in RestoreChoice],
    ).ask()
    return answer if isinstance(answer, RestoreChoice) else RestoreChoice.LEAVE
