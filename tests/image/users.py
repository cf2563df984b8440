"""What a user of the system does in a folder of his own, with his own rights alone."""

import ctypes
import os
import traceback
from collections.abc import Callable
from pathlib import Path

EVE = 4242
_EXCHANGE = 2  # RENAME_EXCHANGE of linux/fs.h
_AT_FDCWD = -100


def as_user(folder: Path, action: Callable[[], object], *, uid: int = EVE) -> None:
    """Do something in a folder as a user who is not root; paths are relative to it."""
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            action()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def home_of(parent: Path, name: str = "eve", *, uid: int = EVE) -> Path:
    """Make a user's home."""
    home = parent / name
    home.mkdir(mode=0o755, parents=True)
    os.chown(home, uid, uid)
    return home


def exchange(one: str, two: str) -> None:
    """Let two names change their places at once (man 2 renameat2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(name) for name in (one, two))
    first, second = names
    if libc.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), one)


def dig(name: str, levels: int, inside: str = "") -> None:
    """Nest so many folders of one name into each other, deeper than a path can say."""
    here = os.open(".", os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        deeper = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    if inside:
        os.close(os.open(inside, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here))
    os.close(here)
