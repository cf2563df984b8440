"""The comparison of two files byte by byte, up to the first difference; holes are not read."""

import errno
import os
from contextlib import ExitStack
from pathlib import Path

_BLOCK = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOATIME | os.O_CLOEXEC


def same_content(source: Path, copy: Path) -> bool:
    """Whether both hold the same. Raises OSError where the source cannot be read.

    A copy that cannot be read is worth nothing, and so it is not the same.
    """
    with ExitStack() as stack:
        one = _opened(source, stack)
        try:
            two = _opened(copy, stack)
        except OSError:
            return False
        size = os.fstat(one).st_size
        if os.fstat(two).st_size != size:
            return False
        place = 0
        while place < size:
            place = min(_next_data(one, place, size), _next_data(two, place, size))
            data = os.pread(one, _BLOCK, place)
            try:
                if data != os.pread(two, _BLOCK, place):
                    return False
            except OSError:
                return False
            if not data:
                break
            place += len(data)
    return True


def _opened(path: Path, stack: ExitStack) -> int:
    file = os.open(path, _FLAGS)
    stack.callback(os.close, file)
    return file


def _next_data(file: int, place: int, size: int) -> int:
    """Return the offset of the next bytes that are not a hole (man 2 lseek, SEEK_DATA)."""
    try:
        return os.lseek(file, place, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        if error.errno == errno.EINVAL:
            return place
        raise
