"""The login banner of a machine that runs from its mirror.

Two texts lie beside the marker; rescue-booted.service shows them from /run, so that nothing of
them stays: pam_motd reads /run/motd.d (man 8 pam_motd). agetty reads /run/issue.d only where
/etc/issue does not exist (man 8 agetty), so the unit mounts it on /etc/issue.d.
"""

import contextlib
import time
from pathlib import Path
from string import Template

from rescue import paths
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.printable import printable
from rescue.system.files.atomic import write_atomic
from rescue.template import template

_SHOWN = {"motd": paths.MOTD, "issue": paths.ISSUE}
_NEVER = "no complete run"


def banner(name: str, record: MirrorRecord, *, handed_over: bool = False) -> str:
    """Return the text of 'motd' or 'issue', filled in from the record.

    With `handed_over`, return the text for a mirror that keeps running after a failback from it
    in the same session.
    """
    text = template(f"{'failback' if handed_over else 'mirror'}.{name}")
    values = {
        "host": record.host,
        "name": record.name,
        "mirror": record.mirror.id.name or "?",
        "source": record.source.id.name or "?",
        "state": _state(record),
    }
    # Serials come from a disk's firmware, and agetty obeys backslashes.
    return Template(text).substitute({key: _plain(value) for key, value in values.items()})


def banners(record: MirrorRecord) -> dict[str, bytes]:
    """Return both texts, as files that lie beside the marker."""
    return {name: banner(name, record).encode() for name in _SHOWN}


def show_handed_over(root: Path, record: MirrorRecord) -> None:
    """Announce in the running system at `root` that it handed over; a failure is harmless."""
    with contextlib.suppress(OSError):
        for name, shown in _SHOWN.items():
            place = root / shown
            place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_atomic(place, banner(name, record, handed_over=True).encode(), mode=0o644)


def _state(record: MirrorRecord) -> str:
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(record.last_complete))
    if record.state is MirrorState.COMPLETE:
        return when
    last = f"last complete: {when}" if record.last_complete else _NEVER
    return f"of a run that did NOT come to its end ({last})"


def _plain(text: str) -> str:
    return printable(text).replace("\\", "")
