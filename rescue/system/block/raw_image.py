"""Writing an image to a held device, and reading it back past caches (man 2 open, O_DIRECT)."""

import hashlib
import mmap
import os
from collections.abc import Callable
from pathlib import Path

from rescue.units import MIB

_CHUNK = 4 * MIB
_FIRST_SECTOR = 512


def write_image(held: int, image: Path, *, sha256: str, tell: Callable[[int], None]) -> bool:
    """Write an image file to the start of an open device, the first sector last.

    That sector is written, and True returned, only if the file had that SHA-256: a device that
    was pulled out in between, or got something else, does not half boot. `tell` is given the
    number of bytes on the device so far.
    """
    seen = hashlib.sha256()
    head, offset = b"", 0
    with image.open("rb") as file:
        while data := file.read(_CHUNK):
            seen.update(data)
            if not offset:
                head = data[:_FIRST_SECTOR]
                data = bytes(len(head)) + data[len(head) :]
            _write_all(held, data, offset)
            # Chunk by chunk, so that progress is that of the device and not of the cache.
            os.fdatasync(held)
            offset += len(data)
            tell(offset)
    if seen.hexdigest() != sha256:
        return False
    _write_all(held, head, 0)
    os.fsync(held)
    return True


def digest_of_device(path: str, length: int, *, tell: Callable[[int], None]) -> str:
    """Return the SHA-256 of the first `length` bytes of a device, read from the device itself.

    `length` is a multiple of the device's sector size. `tell` is given the bytes read so far.
    Raises OSError where it cannot be read or ends before.
    """
    seen = hashlib.sha256()
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        # O_DIRECT reads into memory that is aligned to pages, as a mapping is.
        with mmap.mmap(-1, _CHUNK) as buffer, memoryview(buffer) as window:
            offset = 0
            while offset < length:
                want = min(_CHUNK, length - offset)
                got = os.preadv(fd, [window[:want]], offset)
                if got <= 0:
                    raise OSError(f"{path} ends after {offset} bytes")
                seen.update(window[:got])
                offset += got
                tell(offset)
    finally:
        os.close(fd)
    return seen.hexdigest()


def _write_all(held: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(held, view, offset)
        view, offset = view[done:], offset + done
