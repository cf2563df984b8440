"""The text of mdadm.conf (man 5 mdadm.conf), for a disk that has left its RAID arrays.

A disk that stands alone must never start the arrays of the disks it was made from: whoever starts
an array writes to all of its members. mdadm starts what an ARRAY line names, and whatever it finds
unless AUTO forbids that; the first AUTO line counts, and POLICY may allow it again.
"""

import re
from collections.abc import Collection, Iterator

_KEYWORDS = (
    "DEVICES",
    "ARRAY",
    "MAILADDR",
    "MAILFROM",
    "PROGRAM",
    "CREATE",
    "HOMEHOST",
    "HOMECLUSTER",
    "AUTO",
    "POLICY",
    "PART-POLICY",
    "SYSFS",
    "MONITORDELAY",
    "ENCRYPTION_NO_VERIFY",
)
"""In mdadm's own order: of what is abbreviated, the first one is meant."""

_SHORTEST = 3
_UUID = re.compile(r"uuid=[\"']?([0-9a-f:. -]+)[\"']?", re.IGNORECASE)

FILES = ("/etc/mdadm/mdadm.conf", "/etc/mdadm.conf")
"""Where mdadm looks; the second one where there is no first. Debian's mkinitramfs does the same."""

FOLDERS = tuple(f"{file}.d" for file in FILES)
"""What lies there is read after the file, the names in order."""

ALONE = """\
# Written by rescue. This disk stands alone: no array is started here but those named above.
# Debian's mkinitramfs would look for arrays if no line named one.
AUTO -all
ARRAY <ignore> UUID=00000000:00000000:00000000:00000000
"""
"""What is written behind the other lines."""


def is_mdadm_conf(path: str) -> bool:
    """Whether mdadm reads that file of the whole tree."""
    return path in FILES or path.rpartition("/")[0] in FOLDERS


def without_arrays(text: str, arrays: Collection[str]) -> str:
    """Return the file for a disk without these arrays (UUIDs, in whatever spelling).

    It starts no array but those of its own ARRAY lines: of these, what has another UUID stays. A
    line without a UUID may mean any array, and goes. Comments and all other settings stay.
    """
    gone = {_plain(uuid) for uuid in arrays}
    kept = [line for line in _settings(text.replace(ALONE, "")) if _may_stay(line, gone)]
    body = "".join(kept)
    if body and not body.endswith("\n"):
        body += "\n"
    return body + ALONE


def stands_alone(text: str) -> bool:
    """Whether mdadm starts no array by itself that the file does not name."""
    autos = [line for line in _settings(text) if _keyword(line) == "AUTO"]
    return bool(autos) and autos[0].split()[1:2] == ["-all"]


def named_arrays(text: str) -> frozenset[str]:
    """Return the UUIDs of the arrays that the file names, as 32 digits in lower case."""
    lines = (line for line in _settings(text) if _keyword(line) == "ARRAY")
    return frozenset(uuid for line in lines for uuid in _uuids(line))


def _settings(text: str) -> Iterator[str]:
    """Yield each setting with the lines that continue it, which begin with white space."""
    current = ""
    for line in re.split(r"(?<=\n)", text):
        if current and not (line[:1] in (" ", "\t") and _keyword(current)):
            yield current
            current = ""
        current += line
    if current:
        yield current


def _keyword(line: str) -> str:
    """Return the keyword that a setting begins with, '' for a comment or what mdadm knows not."""
    word = next(iter(line.split()), "").strip("\"'").upper()
    if len(word) < _SHORTEST:
        return ""
    return next((each for each in _KEYWORDS if each.startswith(word)), "")


def _may_stay(line: str, gone: Collection[str]) -> bool:
    if line.lstrip().startswith("#"):
        return True
    uuids = _uuids(line)
    if any(uuid in gone for uuid in uuids):
        return False
    match _keyword(line):
        case "AUTO" | "POLICY" | "PART-POLICY":
            return False
        case "ARRAY":
            return bool(uuids)
        case _:
            return True


def _uuids(line: str) -> list[str]:
    return [_plain(found) for found in _UUID.findall(line)]


def _plain(uuid: str) -> str:
    """Return a UUID as its digits: mdadm spells it in words of eight, libblkid as any other."""
    return re.sub(r"[^0-9a-f]", "", uuid.lower())
