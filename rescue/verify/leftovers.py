"""Leftover identifiers: no file that the boot reads may name a device of the source."""

import re
from collections.abc import Iterator

from rescue.model.boot.files import whole_tree_patterns
from rescue.model.finding import Finding
from rescue.system.files.rooted_tree import without_comments
from rescue.verify.chain import Link, Mirror, broken, ok
from rescue.verify.uefi import find_esp

DEBCONF = "/var/cache/debconf/config.dat"


def check_leftovers(mirror: Mirror) -> Iterator[Finding]:
    """Search every text the boot reads, apart from comments, for the source. Raises OSError."""
    esp = find_esp(mirror)
    patterns = whole_tree_patterns(esp.mount_point if esp is not None else "")
    named = (path for pattern in patterns for path in mirror.tree.glob(pattern))
    paths = dict.fromkeys(path for path in named if path != DEBCONF)
    found = [finding for path in paths for finding in _search(mirror, path)]
    if mirror.tree.is_file(DEBCONF):
        text = grub_questions(mirror.tree.text(DEBCONF))
        found += list(_findings(mirror, text, DEBCONF))
    yield from found
    if not found:
        yield ok(Link.IDENTIFIERS, f"nothing of the source in {len(paths)} files of the boot")


def _search(mirror: Mirror, path: str) -> Iterator[Finding]:
    yield from _findings(mirror, without_comments(mirror.tree.text(path)), path)


def _findings(mirror: Mirror, text: str, path: str) -> Iterator[Finding]:
    for name in mirror.record.identifiers.find_old(text):
        yield broken(Link.IDENTIFIERS, f"names {name}, which is the source's", file=path)


def grub_questions(text: str) -> str:
    """Given debconf's database, return the answers that the GRUB packages use.

    A stanza is 'Name: grub-pc/install_devices' and 'Value: ...', with blank lines between stanzas.
    """
    stanzas = re.split(r"\n(?:[ \t\r]*\n)+", text)
    return "\n\n".join(part for part in stanzas if re.match(r"Name: grub[\w-]*/", part.lstrip()))
