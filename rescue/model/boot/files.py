"""The boot files that name a disk: read by the system, its tools or the boot loader.

The run writes them on the mirror, translated, and the audit looks into each of them.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
)
"""Where units lie, the first one counts (man 5 systemd.unit)."""

SETTINGS = (
    "/etc/fstab",
    "/etc/crypttab",
    "/etc/mdadm/mdadm.conf",
    "/etc/mdadm/mdadm.conf.d/*.conf",
    "/etc/mdadm.conf",
    "/etc/mdadm.conf.d/*.conf",
    "/etc/default/grub",
    "/etc/default/grub.d/**",
    "/etc/grub.d/**",
    "/etc/kernel/cmdline",
    "/etc/initramfs-tools/initramfs.conf",
    "/etc/initramfs-tools/conf.d/**",
    "/etc/dracut.conf",
    "/etc/dracut.conf.d/**",
    *(
        f"{folder}/*.{kind}{more}"
        for folder in UNIT_FOLDERS
        for kind in ("mount", "swap", "automount")
        for more in ("", ".d/*.conf")
    ),
    "/etc/hdparm.conf",
    "/etc/smartd.conf",
    "/var/cache/debconf/config.dat",
    "/boot/grub/device.map",
)
"""What the system, mkinitramfs and grub-mkconfig read.

Globs: '*' stays within one folder, and '**' as the last part stands for every file below it.
"""

MENUS = (
    "/boot/grub/grub.cfg",
    "/boot/grub/custom.cfg",
    "/boot/grub/grubenv",
    "/boot/loader/loader.conf",
    "/boot/loader/entries/*.conf",
)
"""What the boot loader reads: it names kernels and initramfs, which must be there before."""

_ESP_PATTERNS = (
    "/loader/loader.conf",
    "/loader/entries/*.conf",
    "/EFI/*/grub.cfg",
    "/EFI/*/grubenv",
)


def menu_patterns(esp: str) -> tuple[str, ...]:
    """Return the globs of what boot loaders read. `esp` is the ESP's mount point, or ''."""
    return MENUS + (tuple(f"{esp.rstrip('/')}{each}" for each in _ESP_PATTERNS) if esp else ())


def whole_tree_patterns(esp: str) -> tuple[str, ...]:
    """Return the globs of all files that name a disk. `esp` is the ESP's mount point, or ''.

    They are written on the mirror from the source's text, translated.
    """
    return SETTINGS + menu_patterns(esp)


def is_menu(path: str) -> bool:
    """Whether a path of the tree is a boot loader's menu rather than a system setting."""
    return any(fnmatchcase(path, pattern) for pattern in MENUS)


@dataclass(frozen=True, kw_only=True)
class LinkedFile:
    """One of these files reached through a link: the path the system reads, and the real one.

    Both are paths of the whole tree; no link is on the way to `path`.
    """

    name: str
    path: str
