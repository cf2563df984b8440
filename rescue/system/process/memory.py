"""The memory that is available (man 5 proc, /proc/meminfo)."""

import re
from pathlib import Path

_PLACE = Path("/proc/meminfo")
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)


def available_mib(place: Path = _PLACE) -> int:
    """Return what programs can take without swapping, in MiB."""
    found = _AVAILABLE.search(place.read_text(encoding="ascii"))
    return int(found[1]) // 1024 if found else 0
