"""The trees that come back, and the recorded file systems that they lay on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from rescue import paths
from rescue.errors import ExitCode
from rescue.model.finding import Refusal
from rescue.model.mirror.record import FilesystemPair, MirrorRecord
from rescue.model.restore.way_back import HOMES, Piece
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.mount import holder_of

DEFAULT_TREES = (HOMES,)
"""The users' homes. /root is the system's: what is in it steers the machine that runs now, which
is the mirror's. Who wants it names it."""

PROTECTED = (
    f"/{paths.OWN_FOLDER}",
    "/bin",
    "/boot",
    "/dev",
    "/etc/crypttab",
    "/etc/default",
    "/etc/fstab",
    "/etc/initramfs-tools",
    "/etc/kernel",
    str(paths.CONFIG.parent),
    "/etc/systemd",
    "/lib",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/dpkg",
    str(paths.STATE),
)
"""What the mirror boots and runs by; the dead disk's would name the dead disk."""

_BUT = ("/usr/local",)


def tree_refusals(trees: tuple[str, ...]) -> list[Refusal]:
    """Return what prevents bringing back these trees."""
    refusals = []
    for tree in trees:
        if not tree.startswith("/") or ".." in PurePosixPath(tree).parts:
            refusals.append(
                Refusal(
                    code=ExitCode.USAGE,
                    reason=f"'{tree}' is not an absolute path",
                    hint="name a folder by its absolute path: --tree /var/mail",
                )
            )
        elif found := _protected(tree):
            refusals.append(
                Refusal(
                    code=ExitCode.REFUSED,
                    reason=(
                        f"{tree} is not brought back: this system needs {found} to boot and run"
                    ),
                    hint="name a folder below or beside it, such as /etc/postfix",
                )
            )
    return refusals


def normal(tree: str) -> str:
    """Return a path without '.' and double or trailing slashes."""
    return "/" + str(PurePosixPath(tree)).lstrip("/")


def pieces_of(
    record: MirrorRecord, trees: tuple[str, ...], *, mounted: Sequence[str] = ()
) -> tuple[Piece, ...]:
    """Return the parts of the trees, one for each recorded file system that they lie on.

    `mounted` is where the running system has anything mounted.
    """
    pairs = [pair for pair in record.filesystems if pair.kind is not FsKind.VFAT]
    wanted = tuple(dict.fromkeys(normal(tree) for tree in trees))
    # A tree inside another one comes with it.
    outer = [tree for tree in wanted if not any(_below(tree, other) for other in wanted)]
    return tuple(
        replace(piece, covered=_covered(piece, pairs, mounted))
        for tree in outer
        for piece in _pieces(pairs, tree)
    )


def _pieces(pairs: list[FilesystemPair], tree: str) -> list[Piece]:
    held = holder_of(tree, (pair.mount_point for pair in pairs))
    holder = next(pair for pair in pairs if pair.mount_point == held)
    below = [pair for pair in pairs if _below(pair.mount_point, tree)]
    return [_piece(pairs, tree, pair, pair.mount_point) for pair in below] + [
        _piece(pairs, tree, holder, tree)
    ]


def _piece(pairs: list[FilesystemPair], tree: str, pair: FilesystemPair, start: str) -> Piece:
    root = PurePosixPath(pair.mount_point)
    nested = [
        str(PurePosixPath(other.mount_point).relative_to(root))
        for other in pairs
        if _below(other.mount_point, pair.mount_point)
    ]
    inside = str(PurePosixPath(start).relative_to(root))
    return Piece(
        tree=tree,
        mount_point=pair.mount_point,
        inside="" if inside == "." else inside,
        kind=pair.kind,
        source_uuid=pair.source_uuid,
        mirror_uuid=pair.mirror_uuid,
        nested=tuple(nested),
    )


def _covered(
    piece: Piece, pairs: Sequence[FilesystemPair], mounted: Sequence[str]
) -> tuple[str, ...]:
    """Return where in a piece, or around it, something else is mounted on its file system."""
    own = {pair.mount_point for pair in pairs}
    start = str(PurePosixPath(piece.mount_point) / piece.inside)
    return tuple(
        str(PurePosixPath(target).relative_to(piece.mount_point))
        for target in dict.fromkeys(mounted)
        if target not in own
        and holder_of(target, own) == piece.mount_point
        and (target == start or _below(target, start) or _below(start, target))
    )


def _below(path: str, folder: str) -> bool:
    """Whether a path lies in a folder, and is not the folder itself."""
    return path != folder and PurePosixPath(path).is_relative_to(folder)


def _protected(tree: str) -> str:
    path = normal(tree)
    if any(path == free or _below(path, free) for free in _BUT):
        return ""
    touched = (p for p in PROTECTED if p == path or _below(p, path) or _below(path, p))
    return next(touched, "")
