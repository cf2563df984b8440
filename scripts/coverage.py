"""What share of the machines that people described in public get a plan, and why the others do not.

    python -m scripts.coverage

The facts are in tests/data/layouts/described.json. What lies on disks other than the system's is
left out of these plans, as somebody who was asked would have agreed to, and is named.
"""

from dataclasses import dataclass, replace

from rescue.model.mirror.plan import Plan, PrepareRequest
from rescue.plan.prepare import left_to_ask, plan_prepare
from tests.builders import NEW_IDS
from tests.layouts.described import TARGET, Described, described, machine_of


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of one machine: a plan, perhaps without some mount points, or sentences."""

    told: Described
    without: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The machine and the answer, on one line."""
        if self.refusals:
            said = f"refused: {self.refusals[0]}"
        else:
            said = f"plan, without {', '.join(self.without)}" if self.without else "plan"
        return f"{self.told.id}  {self.told.words}: {said}"


def answer_for(told: Described) -> Answer:
    """Plan a mirror of a described machine on a bare disk as large as its largest."""
    machine = machine_of(told)
    request = PrepareRequest(target=TARGET, new_ids=NEW_IDS)
    without = tuple(each.what for each in left_to_ask(machine, request))
    answer = plan_prepare(machine, replace(request, leave_out=without))
    if isinstance(answer, Plan):
        return Answer(told=told, without=without)
    return Answer(told=told, refusals=tuple(each.reason for each in answer.findings))


def summary(answers: tuple[Answer, ...]) -> str:
    """Return the shares in a sentence, as the chapter on limits has it."""
    wanted = [each for each in answers if each.told.is_wanted]
    planned, of_wanted = (
        sum(not each.refusals for each in several) for several in (answers, wanted)
    )
    return (
        f"{planned} of {len(answers)} described machines get a plan; of the {len(wanted)} on amd64 "
        f"whose root is not ZFS, {of_wanted} do ({of_wanted / len(wanted):.0%})"
    )


def main() -> None:
    """Print a line for each machine, and the share."""
    answers = tuple(answer_for(each) for each in described())
    for each in answers:
        print(each.line)
    print(f"\n{summary(answers)}")


if __name__ == "__main__":
    main()
