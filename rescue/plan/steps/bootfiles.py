"""The boot files and folders that a mirror makes for itself."""

from rescue.model.boot.firmware import GrubPlatform
from rescue.paths import OWN_FOLDER

_INITRAMFS = ("/boot/initrd.img-*",)


def made_on_the_mirror(
    esp: str, platforms: tuple[GrubPlatform, ...], distributor: str
) -> tuple[str, ...]:
    """Return what the mirror makes for itself: its state, GRUB's folders, the initramfs.

    Only the folders of platforms that are installed onto the mirror: any other's is copied.
    """
    paths = [f"/{OWN_FOLDER}/", *_INITRAMFS]
    paths += [f"/boot/grub/{platform}/" for platform in platforms]
    if esp and GrubPlatform.X86_64_EFI in platforms:
        base = esp.rstrip("/")
        paths += [f"{base}/EFI/{distributor}/", f"{base}/EFI/BOOT/"]
    return tuple(paths)
