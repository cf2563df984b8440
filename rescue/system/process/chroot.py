"""Running a program of the mirror's tree in a chroot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rescue.system.files import mount_namespace
from rescue.system.process.run import Result, run

_INSIDE = ("sys", "dev", "run", "tmp")


@contextmanager
def kernel_view(tree: Path) -> Iterator[None]:
    """Mount /sys, /dev and empty /run and /tmp in a tree while the block runs.

    Only inside a private mount namespace: /dev is a bind of the machine's own. What is written
    to /run and /tmp goes with the block.
    """
    mounted: list[Path] = []
    try:
        for name in _INSIDE:
            place = tree / name
            if not place.is_dir() or place.is_symlink():
                continue
            mount_namespace.mount(_argv(name, place))
            mounted.append(place)
        yield
    finally:
        for place in reversed(mounted):
            mount_namespace.unmount_all(place)


def run_in(tree: Path, argv: list[str], *, timeout: float) -> Result:
    """Run a program with the tree as its root, and a /proc of its own. Raises CommandError.

    It is the first process of a PID namespace (man 7 pid_namespaces): whatever it has started ends
    with it, and it with us, by the kernel's hand.
    """
    apart = ["unshare", "--pid", "--fork", "--kill-child", f"--mount-proc={tree / 'proc'}", "--"]
    return run([*apart, "chroot", str(tree), *argv], timeout=timeout)


def _argv(name: str, place: Path) -> list[str]:
    match name:
        case "sys":
            return mount_namespace.special_argv("sysfs", place)
        case "dev":
            return mount_namespace.bind_argv(Path("/dev"), place)
        case "tmp":
            return mount_namespace.tmpfs_argv(place, size="50%", mode="1777")
        case _:
            return mount_namespace.tmpfs_argv(place, size="50%", mode="0755")
