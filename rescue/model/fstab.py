"""The texts of /etc/fstab and /etc/crypttab: read, and with 'nofail' where a mirror needs it.

See man 5 fstab and man 5 crypttab. Comments, order and white space stay as they are.
"""

import re
from collections.abc import Collection

from rescue.model.lexicon import unoctal
from rescue.model.mount import FstabEntry, may_be_absent

LINE = re.compile(
    r"(?P<indent>[ \t]*)(?P<spec>[^\s#]\S*)(?P<target>[ \t]+\S+)(?P<fstype>[ \t]+\S+)?"
    r"(?P<gap>[ \t]+)?(?P<options>\S+)?(?P<rest>.*)"
)
_CRYPTTAB_LINE = re.compile(
    r"(?P<begin>[ \t]*(?P<name>[^\s#]\S*)[ \t]+\S+)(?P<key>[ \t]+\S+)?"
    r"(?P<gap>[ \t]+)?(?P<options>\S+)?(?P<rest>.*)"
)
_QUIET = frozenset({"nofail", "noauto"})


def parse_fstab(text: str) -> tuple[FstabEntry, ...]:
    """Return the lines of an fstab, without what they resolve to."""
    entries = []
    for line in text.splitlines():
        fields = [unoctal(word) for word in line.split()]
        if len(fields) >= 3 and not fields[0].startswith("#"):
            options = tuple(fields[3].split(",")) if len(fields) > 3 else ()
            spec, target, fstype = fields[:3]
            entries.append(
                FstabEntry(spec=spec, target=_place(target), fstype=fstype, options=options)
            )
    return tuple(entries)


def with_nofail(text: str, places: Collection[str]) -> str:
    """Return an fstab in which the boot does not wait for these mount points.

    Swap is named by the first field of its line. A line that is not waited for stays as it is.
    """
    return "\n".join(_optional(line, places) for line in text.split("\n"))


def with_nofail_mappings(text: str, names: Collection[str]) -> str:
    """Return a crypttab in which the boot does not wait for the devices of these names."""
    return "\n".join(_optional_mapping(line, names) for line in text.split("\n"))


def _optional(line: str, places: Collection[str]) -> str:
    match = LINE.fullmatch(line)
    if match is None or match["fstype"] is None:
        return line
    what = match["spec"] if match["fstype"].strip() == "swap" else match["target"].strip()
    options = match["options"] or ""
    if _place(unoctal(what)) not in places or may_be_absent(options.split(",")):
        return line
    return (
        f"{match['indent']}{match['spec']}{match['target']}{match['fstype']}"
        f"{match['gap'] or ' '}{options or 'defaults'},nofail{match['rest']}"
    )


def _optional_mapping(line: str, names: Collection[str]) -> str:
    match = _CRYPTTAB_LINE.fullmatch(line)
    if match is None or match["name"] not in names:
        return line
    options = match["options"] or ""
    if not _QUIET.isdisjoint(options.split(",")):
        return line
    return (
        f"{match['begin']}{match['key'] or ' none'}{match['gap'] or ' '}"
        f"{options or 'luks'},nofail{match['rest']}"
    )


def _place(target: str) -> str:
    return target if target == "/" else target.rstrip("/")
