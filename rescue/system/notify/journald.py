"""Entries with fields for systemd's journal, by its native protocol
(systemd.io/JOURNAL_NATIVE_PROTOCOL).

Sent by this very process: what `logger --journald` sends carries the fields of a process that has
ended before the journal asks which unit it was of, and `journalctl --unit` would not show it.
"""

import socket
from collections.abc import Mapping
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")

# A datagram, not a file: what is longer would have to be handed over in a memfd.
_LONGEST = 32 * 1024


def encode(fields: Mapping[str, str]) -> bytes:
    """Encode one entry: lines 'NAME=value', with a length (64 bits) before values with newlines."""
    entry = bytearray()
    for name, value in fields.items():
        data = value.encode("utf-8", "surrogateescape")[:_LONGEST]
        if b"\n" in data:
            entry += name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
        else:
            entry += name.encode() + b"=" + data + b"\n"
    return bytes(entry)


def send(fields: Mapping[str, str], path: Path | None = None) -> bool:
    """Pass on one entry to the socket at `path` (SOCKET by default).

    Returns False where no journal takes it: then nothing was written.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(10)
            out.sendto(encode(fields), str(path or SOCKET))
    except OSError:
        return False
    return True
