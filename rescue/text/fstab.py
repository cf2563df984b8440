"""The texts of /etc/fstab and /etc/crypttab, parsed, and given 'nofail' where a mirror needs it.

See man 5 fstab and man 5 crypttab. Comments, order and white space stay as they are.
"""

import re
from collections.abc import Collection

from rescue.model.storage.mount import FstabEntry, may_be_absent
from rescue.text.identifier_scanner import unoctal

# Blanks and tabs alone part the fields: a label may hold what is white space elsewhere.
_WORD, _BLANK = r"[^ \t\r]+", r"[ \t]+"
LINE = re.compile(
    rf"(?P<indent>[ \t]*)(?P<spec>(?!\#){_WORD})(?P<target>{_BLANK}{_WORD})"
    rf"(?P<fstype>{_BLANK}{_WORD})?(?P<gap>{_BLANK})?(?P<options>{_WORD})?(?P<rest>.*)",
    re.DOTALL,
)
_CRYPTTAB_LINE = re.compile(
    rf"(?P<begin>[ \t]*(?!\#){_WORD}{_BLANK}{_WORD})(?P<key>{_BLANK}{_WORD})?"
    rf"(?P<gap>{_BLANK})?(?P<options>{_WORD})?(?P<rest>.*)",
    re.DOTALL,
)
_QUIET = frozenset({"nofail", "noauto"})


def parse_fstab(text: str) -> tuple[FstabEntry, ...]:
    """Return the lines of an fstab, without resolving their devices."""
    entries = []
    for line in text.split("\n"):
        fields = [unoctal(word) for word in re.findall(r"[^ \t]+", line.removesuffix("\r"))]
        if len(fields) >= 3 and not line.lstrip(" \t").startswith("#"):
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


def crypttab_with_nofail(text: str) -> str:
    """Return a crypttab in which the boot waits for none of its devices."""
    return "\n".join(_optional_mapping(line) for line in text.split("\n"))


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


def _optional_mapping(line: str) -> str:
    match = _CRYPTTAB_LINE.fullmatch(line)
    if match is None:
        return line
    options = match["options"] or ""
    if not _QUIET.isdisjoint(options.split(",")):
        return line
    return (
        f"{match['begin']}{match['key'] or ' none'}{match['gap'] or ' '}"
        f"{options or 'luks'},nofail{match['rest']}"
    )


def _place(target: str) -> str:
    return target.rstrip("/") or target[:1]
