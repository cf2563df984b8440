"""Telling people: by mail where there is a mail system, else on every terminal (man 1 wall)."""

from pathlib import Path

from rescue import paths
from rescue.printable import printable
from rescue.system.process.run import run, which


def mail_argv(program: str) -> list[str]:
    """Return the command that sends a message to its own addresses; a lone dot does not end it.

    The same for every mail system that has a sendmail (man 1 sendmail of Postfix, Exim).
    """
    return [program, "-t", "-oi"]


def can_mail() -> bool:
    """Whether a mail system is installed."""
    return which("sendmail") is not None


def mail(message: str) -> None:
    """Pass a whole message with its headers to the mail system. Raises CommandError."""
    run(mail_argv(which("sendmail") or "sendmail"), stdin=message)


def wall(line: str) -> None:
    """Show a line on every terminal where anybody is logged in. Raises CommandError."""
    run(["wall"], stdin=f"{printable(line)}\n")


def told_at(unit: str, folder: Path = paths.TOLD) -> float:
    """Return when this unit's failure was last announced, in seconds since the epoch; 0: never."""
    try:
        return (folder / unit).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def note_told(unit: str, folder: Path = paths.TOLD) -> None:
    """Note that this unit's failure is announced now; a restart of the machine forgets it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / unit).touch()
