"""Units of size, and their form for people."""

from typing import NewType

Bytes = NewType("Bytes", int)
"""A number of bytes."""

Sectors = NewType("Sectors", int)
"""A number of logical sectors of the disk it belongs to (512 or 4096 bytes each)."""

MIB = 1024 * 1024
GIB = 1024 * MIB


_DIGITS = 19
"""A number of 63 bits has no more."""


def whole_number(text: str) -> int | None:
    """Return a whole number that is spelled in ASCII's digits, None for any other text.

    None for one of more digits than anything here is counted by, too.
    """
    return int(text) if len(text) <= _DIGITS and text.isascii() and text.isdigit() else None


def to_bytes(sectors: Sectors, *, logical_sector: int) -> Bytes:
    """Given sectors and the disk's logical sector size in bytes, return the bytes they span."""
    return Bytes(sectors * logical_sector)


def human_bytes(size: int) -> str:
    """Return a number of bytes in readable form, in binary units: '1.5 GiB'."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or unit == "TiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")
