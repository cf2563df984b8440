"""Automounts (man 5 systemd.automount): listed, and opened within a time limit."""

from collections.abc import Sequence
from pathlib import Path

from rescue.model.storage.mount import ANSWER_SECONDS, Mount
from rescue.system.process.run import CommandError, run
from rescue.text.identifier_scanner import unit_name

AUTOFS = "autofs"
"""The kernel's file system that stands where something is mounted on demand."""


def waiting(mounts: Sequence[Mount]) -> tuple[str, ...]:
    """Given the mounts, return the on-demand mount points that are not yet mounted."""
    seen = {mount.target: mount.fstype for mount in mounts}
    return tuple(target for target, fstype in seen.items() if fstype == AUTOFS)


def device_of(target: str) -> str:
    """Return what systemd would mount there ('/dev/vda2'), '' where it does not know.

    By its own units: fstab, a unit file and its generator for GPT partitions all end there.
    """
    unit = f"{unit_name(target)}.mount"
    try:
        return run(["systemctl", "show", "--property=What", "--value", "--", unit]).stdout.strip()
    except CommandError:
        return ""


def open_path(target: Path, *, seconds: float = ANSWER_SECONDS) -> bool:
    """Open a path so that its on-demand mount is triggered; return whether it answered.

    A child does it: a process that opens what never answers is stuck until it is killed.
    """
    try:
        run(["stat", "--", f"{target}/."], timeout=seconds)
    except CommandError:
        return False
    return True
