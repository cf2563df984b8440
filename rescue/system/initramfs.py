"""Initramfs images: cpio archives, one after the other, the last one mostly compressed.

Formats: Documentation/driver-api/early-userspace/buffer-format.rst of Linux ('newc' cpio).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rescue.errors import RescueError
from rescue.system.run import reading

_DECOMPRESSORS: tuple[tuple[bytes, tuple[str, ...]], ...] = (
    (b"\x28\xb5\x2f\xfd", ("zstd", "-q", "-d", "-c")),
    (b"\x1f\x8b", ("gzip", "-d", "-c")),
    (b"\xfd7zXZ", ("xz", "-d", "-c")),
    (b"\x5d\x00\x00", ("xz", "--format=lzma", "-d", "-c")),
    (b"\x02\x21\x4c\x18", ("lz4", "-q", "-d", "-c")),
    (b"\x04\x22\x4d\x18", ("lz4", "-q", "-d", "-c")),
    (b"BZh", ("bzip2", "-d", "-c")),
    (b"\x89LZO", ("lzop", "-d", "-c")),
)
_CPIO = (b"070701", b"070702")
_HEADER = 110
_LARGEST = 512 * 1024 * 1024  # bytes; more in one file is a damaged header


class InitramfsError(RescueError):
    """The image is not one that a kernel could unpack."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of an initramfs; the data of a symbolic link is its target."""

    name: str
    mode: int
    data: bytes


class _Input:
    """A stream that can be looked ahead in, and knows how far it was read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ahead = b""
        self.offset = 0

    def peek(self, size: int) -> bytes:
        self._ahead += self._stream.read(max(0, size - len(self._ahead)))
        return self._ahead[:size]

    def take(self, size: int) -> bytes:
        """Read exactly so many bytes. Raises InitramfsError where there are fewer."""
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        data += self._stream.read(size - len(data))
        self.offset += len(data)
        if len(data) < size:
            raise InitramfsError("it ends in the middle of a file")
        return data

    def skip_zeros(self) -> None:
        """Go on to the next byte that is not zero; archives are padded with zeros."""
        while (chunk := self.peek(512)) and not chunk.strip(b"\0"):
            self.take(len(chunk))
        self.take(len(chunk) - len(chunk.lstrip(b"\0")))


def members(path: Path) -> Iterator[Member]:
    """Yield every file of an initramfs, in order, the image read to its very end.

    Raises InitramfsError for what is damaged or cut off, CommandError where the decompressor
    fails or is missing, OSError.
    """
    with path.open("rb") as file:
        plain = _Input(file)
        yield from _archives(plain)
        start, magic = plain.offset, plain.peek(6)
        if not magic:
            if start == 0:
                raise InitramfsError("it is empty")
            return
    with path.open("rb", buffering=0) as raw:
        # The decompressor inherits this very descriptor, and with it the place to begin at.
        raw.seek(start)
        with reading(_decompressor(magic), source=raw) as stream:
            packed = _Input(stream)
            yield from _archives(packed)
            if packed.offset == 0 or packed.peek(1):
                raise InitramfsError("what is compressed in it is no cpio archive")


def _decompressor(magic: bytes) -> tuple[str, ...]:
    for start, argv in _DECOMPRESSORS:
        if magic.startswith(start):
            return argv
    raise InitramfsError(f"it is compressed in an unknown way (it begins with {magic.hex()})")


def _archives(source: _Input) -> Iterator[Member]:
    """Yield the files of all cpio archives that follow each other."""
    while source.peek(6) in _CPIO:
        yield from _archive(source)
        source.skip_zeros()


def _archive(source: _Input) -> Iterator[Member]:
    """Yield the files of one archive up to its trailer."""
    while True:
        header = source.take(_HEADER)
        if header[:6] not in _CPIO:
            raise InitramfsError("a file's header is damaged")
        try:
            fields = [int(header[at : at + 8], 16) for at in range(6, _HEADER, 8)]
        except ValueError as error:
            raise InitramfsError("a file's header is damaged") from error
        mode, size, name_size = fields[1], fields[6], fields[11]
        if size > _LARGEST or name_size > 4096:
            raise InitramfsError("a file's header is damaged")
        name = source.take(name_size).rstrip(b"\0").decode("utf-8", "surrogateescape")
        source.take(-(_HEADER + name_size) % 4)
        if name == "TRAILER!!!":
            return
        data = source.take(size)
        source.take(-size % 4)
        yield Member(name=name.removeprefix("./"), mode=mode, data=data)
