"""Delivers numbered mail to a Maildir; runs in a guest, and is asked on the host what it sent.

`postman.py HOME USER FIRST END`: the mails FIRST to END - 1. What is in a mail follows from its
number.
"""

import hashlib
import random
import sys
from pathlib import Path


def content(number: int) -> bytes:
    """Return the mail of a number: the same wherever it is asked for."""
    chance = random.Random(number)
    return f"Number: {number}\n\n".encode() + chance.randbytes(chance.randint(100, 9000))


def digest(number: int) -> str:
    """Return the SHA-256 of the mail of a number."""
    return hashlib.sha256(content(number)).hexdigest()


def deliver(home: Path, user: str, numbers: range) -> None:
    """Deliver as Maildir asks: written to tmp, then renamed to new."""
    maildir = home / user / "Maildir"
    for folder in ("tmp", "new", "cur"):
        (maildir / folder).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        name = f"18{number:06}.M{number}P1.server"
        (maildir / "tmp" / name).write_bytes(content(number))
        (maildir / "tmp" / name).rename(maildir / "new" / name)


if __name__ == "__main__":
    deliver(Path(sys.argv[1]), sys.argv[2], range(int(sys.argv[3]), int(sys.argv[4])))
