"""Folders in which the new content of a run waits for its end, and what they are called.

They lie beside the files, in folders of users. Each run calls its own by a name that was drawn for
it: a link or file of that name, laid there before, would be followed or be in the way.
"""

from rescue import paths

EARLIER = f"{paths.PARTIAL_PREFIX}new"
"""What every run called them before records knew a name."""


def partial_folder(drawn: str) -> str:
    """Given a random UUID in its canonical text, return what a run calls its folders."""
    return f"{paths.PARTIAL_PREFIX}{drawn}"
