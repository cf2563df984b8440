"""What btrfs-progs says of a mounted btrfs (man 8 btrfs-subvolume)."""

import re

from rescue.errors import RescueError
from rescue.system.process.run import run

# A name may hold line breaks: it goes on until the next line that begins like this.
_BEGIN = r"^ID \d+ gen \d+ top level \d+ path "
_LISTED = re.compile(rf"{_BEGIN}(.*?)(?={_BEGIN}|\Z)", re.MULTILINE | re.DOTALL)


def subvolumes_argv(target: str) -> list[str]:
    """Return the command that lists the subvolumes of the whole file system mounted there.

    Not with -o, which leaves out what lies in other subvolumes.
    """
    return ["btrfs", "subvolume", "list", target]


def subvolumes(target: str) -> tuple[str, ...]:
    """Return the paths of all subvolumes, relative to the top of the btrfs mounted there.

    Snapshots are among them. Raises RescueError where they cannot be listed: no root, no
    btrfs-progs, no btrfs.
    """
    return parse_subvolumes(run(subvolumes_argv(target)).stdout)


def parse_subvolumes(text: str) -> tuple[str, ...]:
    """Given `btrfs subvolume list` output, return the paths; RescueError if it is not a list.

    An empty text is what it prints where there are none.
    """
    found = tuple(path.removesuffix("\n") for path in _LISTED.findall(text))
    if text and not re.match(_BEGIN, text):
        raise RescueError(
            "btrfs did not answer with a list of subvolumes",
            hint="report this with the output of 'btrfs subvolume list'",
        )
    return found
