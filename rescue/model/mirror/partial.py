"""The names of the folders in which a run keeps partial content.

They lie beside the files, in folders of users. Each run calls its own by a name that was drawn for
it: a link or file of that name, laid there before, would be followed or be in the way.
"""

from rescue import paths

EARLIER = f"{paths.PARTIAL_PREFIX}new"
"""What every run called them before records knew a name."""


def partial_folder(drawn: str) -> str:
    """Return a run's name for its folders of partial files, from a canonical random UUID."""
    return f"{paths.PARTIAL_PREFIX}{drawn}"
