"""The files that name a disk, and the folders that GRUB makes on the mirror itself."""

from rescue.model.boot import GrubPlatform

STATE_DIRECTORY = "/.rescue/"
"""Identity, record and marker of the mirror; never copied from or to a source."""

SETTINGS = (
    "/etc/fstab",
    "/etc/crypttab",
    "/etc/mdadm/mdadm.conf",
    "/etc/mdadm.conf",
    "/etc/default/grub",
    "/etc/default/grub.d/*",
    "/etc/grub.d/40_custom",
    "/etc/grub.d/41_custom",
    "/etc/kernel/cmdline",
    "/etc/initramfs-tools/initramfs.conf",
    "/etc/initramfs-tools/conf.d/*",
    "/etc/dracut.conf",
    "/etc/dracut.conf.d/*",
    "/etc/systemd/system/*.mount",
    "/etc/systemd/system/*.swap",
    "/etc/systemd/system/*.automount",
    "/etc/hdparm.conf",
    "/etc/smartd.conf",
    "/var/cache/debconf/config.dat",
    "/boot/grub/device.map",
)
"""What the system, mkinitramfs and grub-install read. Globs; '*' stays within one folder."""

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
_INITRAMFS = ("/boot/initrd.img-*",)


def menu_patterns(esp: str) -> tuple[str, ...]:
    """Return the globs of what boot loaders read. `esp` is the ESP's mount point, or ''."""
    return MENUS + (tuple(f"{esp.rstrip('/')}{each}" for each in _ESP_PATTERNS) if esp else ())


def whole_tree_patterns(esp: str) -> tuple[str, ...]:
    """Return the globs of all files that name a disk. `esp` is the ESP's mount point, or ''.

    They are written on the mirror from the source's text, translated.
    """
    return SETTINGS + menu_patterns(esp)


def made_on_the_mirror(
    esp: str, platforms: tuple[GrubPlatform, ...], distributor: str
) -> tuple[str, ...]:
    """Return what the mirror makes for itself: its state, GRUB's folders, the initramfs.

    Only the folders of platforms that are installed onto the mirror: any other's is copied.
    """
    paths = [STATE_DIRECTORY, *_INITRAMFS]
    paths += [f"/boot/grub/{platform}/" for platform in platforms]
    if esp and GrubPlatform.X86_64_EFI in platforms:
        base = esp.rstrip("/")
        paths += [f"{base}/EFI/{distributor}/", f"{base}/EFI/BOOT/"]
    return tuple(paths)
