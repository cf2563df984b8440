"""Alarm messages for the failure of anything that runs unattended."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import EmailPolicy

from rescue.errors import ExitCode
from rescue.model.run.schedule import MIRROR_SERVICE, OVERDUE_SERVICE
from rescue.printable import printable

# An hourly look that mails every hour is soon no longer read.
_OVERDUE_AGAIN = 20 * 3600.0
_UNIX_LINES = EmailPolicy(linesep="\n")


def told_with(unit: str) -> tuple[str, ...]:
    """Return the units whose announced failures make one for this unit unnecessary.

    After a run that failed the mirror needs attention: that needs no second mail.
    """
    return (OVERDUE_SERVICE, MIRROR_SERVICE) if unit == OVERDUE_SERVICE else (unit,)


def is_due(unit: str, *, now: float, told: float) -> bool:
    """Whether to announce that the unit failed; `told` is when that last happened, 0: never.

    A failed run is always announced. The age check runs every hour, and is announced once a
    day. Times are in seconds since the epoch; a clock that was set back does not silence it.
    """
    again = _OVERDUE_AGAIN if unit == OVERDUE_SERVICE else 0.0
    return not 0.0 <= now - told < again


def alarm_subject(host: str, unit: str) -> str:
    """Return the one line that summarises the alarm."""
    host = printable(host)
    if unit == OVERDUE_SERVICE:
        return f"rescue on {host}: the mirror needs attention"
    return f"rescue on {host}: {printable(unit)} failed"


def alarm_text(host: str, unit: str, lines: tuple[str, ...]) -> str:
    """Return the alarm's details: where to look, and the last lines of the unit's journal."""
    said = [printable(line) for line in lines] or ["(the journal has no entry from it)"]
    return "\n".join(
        (
            f"{printable(unit)} on {printable(host)} failed.",
            "'rescue status' on that machine shows the state of the mirrors, and what to do next.",
            "",
            f"The end of its journal ('journalctl --unit {printable(unit)}'):",
            "",
            *said,
            "",
        )
    )


def alarm_mail(host: str, unit: str, lines: tuple[str, ...], *, to: str) -> str:
    """Return the whole message for `sendmail -t`, in plain ASCII; the MTA adds sender and date."""
    return _mail(alarm_subject(host, unit), alarm_text(host, unit, lines), to=to)


@dataclass(frozen=True, kw_only=True)
class HotplugNews:
    """The announcement of a run that a disk started: a one-line summary, and the rest.

    `public` is for every terminal: what ended a run may name files that are private.
    """

    subject: str
    text: str
    public: str


def hotplug_news(name: str, code: ExitCode, *, said: str = "") -> HotplugNews:
    """Return the announcement after a plugged-in disk's run, however it ended.

    `said` is the error that ended it, if it did not complete.
    """
    subject, text = _PLUGGED.get(code, _NOT_WELL)
    known = {"name": printable(name), "said": printable(said), "code": int(code)}
    return HotplugNews(
        subject=subject.format(**known),
        text="rescue: " + text.format(**known),
        public="rescue: " + text.format(**known | {"said": "'rescue status' says why"}),
    )


_NOT_WELL = (
    "the run onto mirror '{name}' FAILED",
    "the run onto mirror '{name}' FAILED (exit code {code}): {said}. rescue no longer uses its "
    "disk; check 'rescue status' before you remove it",
)
# By how the run ended: only what came to its end says that the disk can be pulled.
_PLUGGED = {
    ExitCode.DONE: (
        "the disk can be removed",
        "mirror '{name}' is complete, and its disk can be removed",
    ),
    ExitCode.DEGRADED: (
        "mirror '{name}' is DEGRADED; the disk can be removed",
        "mirror '{name}' boots, but some of it is not as it should be (exit code {code}, "
        "DEGRADED): 'rescue status' says what. Its disk can be removed",
    ),
    ExitCode.BUSY: (
        "no run onto mirror '{name}': do NOT remove the disk",
        "there was no run onto mirror '{name}', another one is active: {said}. Leave its disk "
        "where it is",
    ),
}


def hotplug_mail(host: str, news: HotplugNews, *, to: str) -> str:
    """Return the whole message of a run that a disk started, for `sendmail -t`, in plain ASCII."""
    return _mail(f"rescue on {printable(host)}: {news.subject}", news.text + "\n", to=to)


def _mail(subject: str, text: str, *, to: str) -> str:
    mail = EmailMessage(policy=_UNIX_LINES)
    mail["To"] = to
    mail["Subject"] = printable(subject)
    # No answer from a holiday (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text, cte="quoted-printable")
    return mail.as_bytes().decode("ascii")
