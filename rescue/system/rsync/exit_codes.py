"""rsync's exit codes, and what each means for the mirror (man 1 rsync)."""

from enum import Enum


class Ending(Enum):
    """What an exit code of rsync means for the mirror."""

    DONE = "done"
    VANISHED = "vanished"
    PARTIAL = "partial"
    FAILED = "failed"


_MEANINGS = {
    0: (Ending.DONE, "success"),
    1: (Ending.FAILED, "it does not know an option that rescue uses"),
    2: (Ending.FAILED, "its two halves are of different versions"),
    3: (Ending.FAILED, "source or mirror could not be opened"),
    4: (Ending.FAILED, "it was built without something that is needed (ACLs, attributes)"),
    5: (Ending.FAILED, "its second process did not start"),
    10: (Ending.FAILED, "error in a connection"),
    11: (Ending.FAILED, "a file could not be written: the mirror is full or has errors"),
    12: (Ending.FAILED, "its processes lost each other"),
    13: (Ending.FAILED, "its messages could not be read"),
    14: (Ending.FAILED, "its processes could not talk to each other"),
    20: (Ending.FAILED, "it was ended by a signal"),
    21: (Ending.FAILED, "one of its processes was lost"),
    22: (Ending.FAILED, "not enough memory"),
    23: (Ending.PARTIAL, "some files were not transferred"),
    24: (Ending.VANISHED, "some files vanished before they were read"),
    25: (Ending.FAILED, "it stopped at the limit of deletions"),
    30: (Ending.FAILED, "nothing moved for too long"),
    35: (Ending.FAILED, "the connection was not answered"),
    127: (Ending.FAILED, "rsync is not installed"),
}


def meaning(code: int) -> tuple[Ending, str]:
    """Given an exit code (negative where a signal ended it), return what it means, in words."""
    if code < 0:
        return Ending.FAILED, f"it was ended by signal {-code}"
    return _MEANINGS.get(code, (Ending.FAILED, f"exit code {code}, which its manual does not list"))
