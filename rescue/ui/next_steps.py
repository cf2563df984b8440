"""Next steps in words: the command to run, with what there is to say of it behind a '#'."""

from collections.abc import Callable, Mapping

from rescue import paths
from rescue.model.run.next_step import Next, NextStep


def step_words(step: NextStep) -> str:
    """Return one step as a line that can be copied to a shell."""
    return _WORDS[step.what](step)


def _mirror(step: NextStep) -> str:
    first = f"   # attach {step.disk} first" if step.attach else ""
    return f"rescue mirror {step.mirror}{first}"


def _prove(step: NextStep) -> str:
    seen = f"{paths.PROOFS / step.mirror} holds its console and screen"
    return f"rescue prove {step.mirror}   # {seen}"


def _start_other(step: NextStep) -> str:
    other = step.disk or "the other disk"
    return f"start this machine from {other}: this disk was being written and is not whole"


def _restore(step: NextStep) -> str:
    there = step.device or "it is not attached now"
    return f"rescue restore   # bring the homes back from {step.disk or '?'} ({there})"


def _failback(step: NextStep) -> str:
    if step.disk:
        return f"rescue failback {step.disk}"
    wanted = "attach a new or repaired disk; 'rescue disks' shows its name"
    return f"rescue failback DISK   # {wanted}"


_WORDS: Mapping[Next, Callable[[NextStep], str]] = {
    Next.LOOK: lambda _: "rescue disks",
    Next.LOOK_AGAIN: lambda _: "rescue disks   # no mirror was made from this disk",
    Next.PREPARE: lambda _: "rescue prepare DISK   # make a second disk a mirror that boots",
    Next.MIRROR: _mirror,
    Next.MIRROR_ANY: lambda step: f"rescue mirror   # no mirror is younger than {step.hours:.0f} h",
    Next.PROVE: _prove,
    Next.START_OTHER: _start_other,
    Next.RESTORE: _restore,
    Next.FAILBACK: _failback,
    Next.STOP_SERVICES: lambda _: "stop the services that write (mail, databases)",
    Next.FAILBACK_AGAIN: lambda step: f"rescue failback {step.disk}",
    Next.POWER_OFF: lambda step: f"systemctl poweroff   # then start from {step.disk}",
    Next.MIRROR_THERE: lambda _: "rescue mirror   # there: makes this disk its mirror again",
}
