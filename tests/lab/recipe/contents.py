"""Fill the server with what a careless copy loses; runs once in the guest, as root.

Below /srv/odd lies one specimen of each kind; below /home two users with their mail.
"""

import os
import random
import shutil
import socket
import subprocess
from pathlib import Path

ODD = Path("/srv/odd")
MAILS = 150
"""Mails of each user; with some settings and notes this makes a few hundred small files."""


def hard_links() -> None:
    """Put three names of one file into three directories."""
    for name in ("links/a", "links/b", "links/b/deep"):
        (ODD / name).mkdir(parents=True)
    first = ODD / "links/a/one"
    first.write_text("the same file under three names\n")
    os.link(first, ODD / "links/b/two")
    os.link(first, ODD / "links/b/deep/three")
    os.symlink("nowhere", ODD / "links/a/linked-symlink")
    os.link(ODD / "links/a/linked-symlink", ODD / "links/b/linked-symlink", follow_symlinks=False)


def sparse_file() -> None:
    """Make a file of 64 MiB that occupies a few kilobytes."""
    with (ODD / "sparse").open("wb") as stream:
        stream.write(b"start")
        stream.seek(64 * 1024 * 1024)
        stream.write(b"end")


def attributes() -> None:
    """Give files an access list, user attributes, capabilities and special mode bits."""
    for name in ("acl", "xattr", "capable", "setuid", "setgid"):
        (ODD / name).write_text(f"{name}\n")
    shared = ODD / "shared"
    shared.mkdir()
    subprocess.run(["setfacl", "-m", "u:anna:rw,g:bela:r", str(ODD / "acl")], check=True)
    subprocess.run(["setfacl", "-d", "-m", "u:bela:rwx", str(shared)], check=True)
    os.setxattr(ODD / "xattr", "user.origin", b"scanner \x00\xff in the cellar")
    os.setxattr(shared, "user.empty", b"")
    os.setxattr(ODD / "xattr", "trusted.note", b"only root sees this")
    subprocess.run(["setcap", "cap_net_raw+ep", str(ODD / "capable")], check=True)
    os.chmod(ODD / "setuid", 0o4755)
    os.chown(ODD / "setgid", 0, 12345)
    os.chmod(ODD / "setgid", 0o2755)
    os.chmod(shared, 0o3777)


def special_files() -> None:
    """Make device nodes, a pipe, a socket and symbolic links that lead nowhere."""
    os.mknod(ODD / "char", 0o20640, os.makedev(1, 7))
    os.mknod(ODD / "block", 0o60660, os.makedev(7, 300))
    os.mkfifo(ODD / "fifo", 0o600)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(ODD / "socket"))
    os.symlink("no/such/file", ODD / "dangling")
    os.symlink("/etc/../" + "x" * 200, ODD / "long-link")
    os.chown(ODD / "dangling", 1001, 1001, follow_symlinks=False)


def names() -> None:
    """Make files whose names break scripts."""
    directory = os.fsencode(ODD / "names")
    os.mkdir(directory)
    for name in (
        b"line\nbreak",
        b" leading and trailing ",
        b"latin1-\xe4\xf6\xfc",
        b"-rf",
        b"*",
        b"back\\slash",
        b"quote'\"",
        b"tab\there",
        b"#comment",
        b"\x01control\x7f",
        "Grüße-☃".encode(),
        b"n" * 255,
    ):
        with open(directory + b"/" + name, "wb") as stream:
            stream.write(name)
    os.makedirs(directory + b"/empty/\n/" + b"d" * 200)


def times() -> None:
    """Make files from before 1970, from the future, and with a fraction of a second."""
    for name, seconds in (("old", -86400), ("future", 4102444800), ("fraction", 1017619200)):
        path = ODD / name
        path.write_text(name)
        os.utime(path, ns=(seconds * 10**9, seconds * 10**9 + 123456789))


def mail(user: str, seed: int) -> None:
    """Give a user a Maildir and some notes; the same on every build."""
    chance = random.Random(seed)
    home = Path("/home") / user
    for folder in ("cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp"):
        (home / "Maildir" / folder).mkdir(parents=True)
    for number in range(MAILS):
        folder = chance.choice(("cur", "cur", "new", ".Sent/cur"))
        name = f"{1017619200 + number * 977}.M{number}P{100 + number}.server"
        flags = "" if folder == "new" else ":2," + chance.choice(("S", "RS", "FS", ""))
        body = "".join(chance.choices("abcdefghij \n", k=chance.randint(200, 6000)))
        letter = home / "Maildir" / folder / (name + flags)
        letter.write_text(f"From: {user}@server\nSubject: mail {number}\n\n{body}\n")
        os.utime(letter, (1017619200 + number * 977,) * 2)
    notes = home / "notes"
    notes.mkdir()
    for number in range(50):
        (notes / f"note {number}.txt").write_text(f"{chance.random()}\n")
    for path in [home, *home.rglob("*")]:
        shutil.chown(path, user, user)


def main() -> None:
    """Make everything."""
    Path("/var/spool/scratch").mkdir(exist_ok=True)
    ODD.mkdir(parents=True)
    for make in (hard_links, sparse_file, attributes, special_files, names, times):
        make()
    mail("anna", 1)
    mail("bela", 2)


if __name__ == "__main__":
    main()
