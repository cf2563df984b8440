"""RAID arrays: a mirror of a system on md must start none of the system's.

Whoever starts an array writes to all of its members, the dead disk's among them (man 8 mdadm).
"""

from collections.abc import Iterator

from rescue.model.finding import Finding
from rescue.text.mdadm_conf import FILES, FOLDERS, stands_alone
from rescue.verify.chain import Link, Mirror, broken, ok

PROGRAM = "/sbin/mdadm"
FILES_INSIDE = tuple(path.lstrip("/") for path in FILES)
"""The same files in an initramfs."""

PROGRAMS_INSIDE = ("sbin/mdadm", "usr/sbin/mdadm")


def check_arrays(mirror: Mirror) -> Iterator[Finding]:
    """Check that the mirror's own mdadm starts no array by itself. Raises OSError."""
    if not mirror.record.identifiers.arrays:
        return
    files = [path for path in FILES if mirror.tree.is_file(path)]
    texts = [mirror.tree.text(path) for path in files[:1]]
    for folder in FOLDERS:
        texts += [mirror.tree.text(path) for path in sorted(mirror.tree.glob(f"{folder}/*.conf"))]
    problem = array_problem("\n".join(texts), mdadm=mirror.tree.is_file(PROGRAM))
    if problem:
        yield broken(Link.ARRAYS, problem, file=(*files, FILES[0])[0])
    else:
        yield ok(Link.ARRAYS, "no array is started that this mirror was made from")


def array_problem(text: str, *, mdadm: bool) -> str:
    """Given what mdadm reads and whether it is there, return what is wrong, '' for nothing."""
    if not mdadm or stands_alone(text):
        return ""
    return "lets mdadm start arrays, which writes to the disks that this mirror was made from"
