"""The boot set that is copied last, so that the mirror's present menu always finds its kernel."""

import re

from rescue.apply.step_context import TreeWork

_GRUB_CFG = "boot/grub/grub.cfg"
_DEFAULT = re.compile(r"^[ \t]*set[ \t]+default=(.*)$", re.MULTILINE)
_LINUX = re.compile(r"^[ \t]*linux\w*[ \t]+\S*/vmlinuz-(\S+)", re.MULTILINE)
_PLACES = (
    "/boot/vmlinuz-{}",
    "/boot/initrd.img-{}",
    "/boot/System.map-{}",
    "/boot/config-{}",
    "/usr/lib/modules/{}",
)


def started_kernels(menu: str) -> tuple[str, ...]:
    """Given the text of a grub.cfg, return the kernel versions that it may start by default.

    If the menu fixes the first entry ('set default="0"'), that is one version; otherwise it is
    every kernel in the menu, since the choice is made at boot.
    """
    versions = tuple(dict.fromkeys(_LINUX.findall(menu)))
    # An entry chosen for a single start ('grub-reboot') does not persist.
    said = (value.strip().strip('"') for value in _DEFAULT.findall(menu))
    defaults = set(said) - {"${next_entry}"}
    return versions[:1] if defaults <= {"0"} else versions


def kept_for_the_menu(work: TreeWork) -> tuple[str, ...]:
    """Return the versions that the mirror's present menu may start, none without a menu."""
    try:
        text = (work.workspace.tree() / _GRUB_CFG).read_text("utf-8", "replace")
    except OSError:
        return ()
    return started_kernels(text)


def places_on(mount_point: str, versions: tuple[str, ...], work: TreeWork) -> tuple[str, ...]:
    """Return the paths of these kernels' files on one file system, relative to its root."""
    every = (work.workspace.pair_of(place.format(each)) for each in versions for place in _PLACES)
    return tuple(inside for pair, inside in every if pair.mount_point == mount_point)


def gone_from_source(versions: tuple[str, ...], work: TreeWork) -> bool:
    """Whether one of these kernels exists only on the mirror."""
    pair, inside = work.workspace.pair_of("/boot")
    source = work.workspace.source(pair.mount_point) / inside.lstrip("/")
    tree = work.workspace.tree() / "boot"
    return any(
        (tree / f"vmlinuz-{each}").exists() and not (source / f"vmlinuz-{each}").exists()
        for each in versions
    )


def no_kernel_fits(mount_point: str) -> str:
    """Return the message for when the mirror's only kernel must go before the new one is there."""
    return (
        f"{mount_point} has no room for a new kernel beside the one that the mirror starts: from "
        "now on, until this run has written the menu, the mirror does not boot"
    )
