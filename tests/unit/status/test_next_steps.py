"""Every next step has its words, and a status keeps what it is about as data."""

import pytest

from rescue.model.run.next_step import Next, NextStep
from rescue.ui.next_steps import step_words


@pytest.mark.parametrize("what", list(Next))
def test_every_step_has_words_with_nothing_known_and_with_everything(what: Next) -> None:
    assert step_words(NextStep(what=what))
    known = NextStep(
        what=what, mirror="attic", disk="NEW01", device="/dev/vdb", attach=True, hours=36
    )
    assert "None" not in step_words(known)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            NextStep(what=Next.MIRROR, mirror="attic", disk="MIR01", attach=True),
            "rescue mirror attic   # attach MIR01 first",
        ),
        (NextStep(what=Next.MIRROR, mirror="attic", disk="MIR01"), "rescue mirror attic"),
        (
            NextStep(what=Next.RESTORE, disk="SRC01", device="/dev/vda"),
            "rescue restore   # bring the homes back from SRC01 (/dev/vda)",
        ),
        (NextStep(what=Next.FAILBACK, disk="NEW01"), "rescue failback NEW01"),
        (
            NextStep(what=Next.FAILBACK),
            "rescue failback DISK   # attach a new or repaired disk; 'rescue disks' shows its name",
        ),
    ],
)
def test_a_step_is_a_line_for_a_shell(step: NextStep, words: str) -> None:
    assert step_words(step) == words
