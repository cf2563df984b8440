"""Commands that make a live system: mmdebstrap and mksquashfs."""

from collections.abc import Sequence
from pathlib import Path

_UNREAD = ("man", "doc", "info", "locale", "lintian", "bug")


def tree_argv(
    *, suite: str, packages: Sequence[str], overlay: Path, output: Path, tree: Path
) -> list[str]:
    """Return the command that installs a system into a tar archive (man 1 mmdebstrap).

    `overlay` is a tar archive that is unpacked over it; its /customize.sh is run and removed.
    Kernel and initramfs are put into the folder `output`, and are not in the archive `tree`.
    """
    hooks = [
        f"tar-in {overlay} /",
        'chroot "$1" sh /customize.sh',
        f"download /boot/vmlinuz {output}/vmlinuz",
        f"download /boot/initrd.img {output}/initrd.img",
        'rm "$1/customize.sh" "$1/boot/vmlinuz" "$1/boot/initrd.img"',
    ]
    return [
        "mmdebstrap",
        "--variant=minbase",
        '--aptopt=Apt::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in _UNREAD),
        f"--include={','.join(packages)}",
        *(f"--customize-hook={hook}" for hook in hooks),
        suite,
        str(tree),
    ]


def squash_argv(output: Path, *, time: int) -> list[str]:
    """Return the command that makes a squashfs of a tar archive on its standard input.

    (man 1 mksquashfs). zstd is unpacked quickly by old machines, too.
    """
    return [
        *("mksquashfs", "-", str(output), "-tar", "-noappend", "-quiet", "-no-progress"),
        *("-comp", "zstd", "-Xcompression-level", "9", "-mkfs-time", str(time)),
    ]
