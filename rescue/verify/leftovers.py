"""No file that the boot reads may name a device of the source."""

import re
from collections.abc import Iterator

from rescue.model.finding import Finding
from rescue.verify.chain import Link, Mirror, broken, ok
from rescue.verify.tree import without_comments
from rescue.verify.uefi import find_esp

FILES = (
    "/etc/fstab",
    "/etc/crypttab",
    "/etc/mdadm/mdadm.conf",
    "/etc/mdadm.conf",
    "/etc/default/grub",
    "/etc/default/grub.d/*",
    "/etc/kernel/cmdline",
    "/etc/initramfs-tools/initramfs.conf",
    "/etc/initramfs-tools/conf.d/*",
    "/etc/dracut.conf",
    "/etc/dracut.conf.d/*",
    "/etc/systemd/system/*.mount",
    "/etc/systemd/system/*.automount",
    "/etc/systemd/system/*.swap",
    "/boot/grub/grub.cfg",
    "/boot/grub/custom.cfg",
    "/boot/grub/device.map",
    "/boot/grub/grubenv",
    "/boot/loader/entries/*.conf",
    "/boot/loader/loader.conf",
)
ESP_FILES = ("EFI/*/grub.cfg", "EFI/*/grubenv", "loader/entries/*.conf", "loader/loader.conf")
DEBCONF = "/var/cache/debconf/config.dat"


def check_leftovers(mirror: Mirror) -> Iterator[Finding]:
    """Search every text the boot reads, apart from comments, for the source. Raises OSError."""
    patterns = list(FILES)
    esp = find_esp(mirror)
    if esp is not None:
        patterns += [f"{esp.mount_point}/{name}" for name in ESP_FILES]
    paths = dict.fromkeys(path for pattern in patterns for path in mirror.tree.glob(pattern))
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
    """Given debconf's database, return the answers that the GRUB packages go by.

    A stanza is 'Name: grub-pc/install_devices' and 'Value: ...', with blank lines between stanzas.
    """
    stanzas = re.split(r"\n\s*\n", text)
    return "\n\n".join(part for part in stanzas if re.match(r"Name: grub[\w-]*/", part.lstrip()))
