"""Initramfs images: cpio archives, one after the other, the last one mostly compressed.

Formats: Documentation/driver-api/early-userspace/buffer-format.rst of Linux ('newc' cpio).
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rescue.errors import RescueError
from rescue.system.process.filters import piped, reading

# Of the programs below, xz alone takes as much memory as an archive asks for.
_XZ_MEMORY = "--memlimit-decompress=512MiB"
_DECOMPRESSORS: tuple[tuple[bytes, tuple[str, ...]], ...] = (
    (b"\x28\xb5\x2f\xfd", ("zstd", "-q", "-d", "-c")),
    (b"\x1f\x8b", ("gzip", "-d", "-c")),
    (b"\xfd7zXZ", ("xz", _XZ_MEMORY, "-d", "-c")),
    (b"\x5d\x00\x00", ("xz", _XZ_MEMORY, "--format=lzma", "-d", "-c")),
    (b"\x02\x21\x4c\x18", ("lz4", "-q", "-d", "-c")),
    (b"\x04\x22\x4d\x18", ("lz4", "-q", "-d", "-c")),
    (b"BZh", ("bzip2", "-d", "-c")),
    (b"\x89LZO", ("lzop", "-d", "-c")),
)
_COMPRESSORS: tuple[tuple[bytes, tuple[str, ...]], ...] = (
    # As mkinitramfs of Debian 12 calls them.
    (b"\x28\xb5\x2f\xfd", ("zstd", "-q", "-9", "-T0", "-c")),
    (b"\x1f\x8b", ("gzip", "-n", "-c")),
    (b"\xfd7zXZ", ("xz", "--check=crc32", "-c")),
    (b"\x02\x21\x4c\x18", ("lz4", "-q", "-9", "-l", "-c")),
)
_CHUNK = 8 * 1024 * 1024  # bytes held in memory at once
_CPIO = (b"070701", b"070702")
_HEADER = 110
_FIELDS = re.compile(rb"[0-9a-fA-F]{104}")
_LARGEST = 512 * 1024 * 1024  # bytes; more in one file is a damaged header
_NO_ARCHIVE = "what is compressed in it is no cpio archive"
_PADDING = 64 * 1024  # bytes looked at together
_LONGEST_TEXT = 1024 * 1024  # bytes


# Files that people and hooks write as text: here labels and paths count too, not UUIDs alone.
_TEXTS = re.compile(
    r"(conf/.*|cryptroot/.*|cmdline|etc/(fstab|crypttab|mdadm(/mdadm)?\.conf|cmdline(\.d/.*)?))$"
)


MOST = 4 * 1024**3
"""Bytes unpacked; no kernel is given so much before it has a root file system."""


class InitramfsError(RescueError):
    """The image is not one that a kernel could unpack."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of an initramfs; the data of a symbolic link is its target."""

    name: str
    mode: int
    data: bytes

    @property
    def is_text(self) -> bool:
        """Whether it is a file that names devices as text, in any way that fstab may."""
        return len(self.data) <= _LONGEST_TEXT and _TEXTS.match(self.name) is not None


class _Input:
    """A stream with look-ahead that knows its position."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ahead = b""
        self.offset = 0

    def peek(self, size: int) -> bytes:
        self._ahead += self._stream.read(max(0, size - len(self._ahead)))
        return self._ahead[:size]

    def take(self, size: int) -> bytes:
        """Read exactly so many bytes. Raises InitramfsError where there are fewer, or too many."""
        if self.offset + size > MOST:
            raise InitramfsError("it does not come to an end")
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        data += self._stream.read(size - len(data))
        self.offset += len(data)
        if len(data) < size:
            raise InitramfsError("it ends in the middle of a file")
        return data

    def skip_zeros(self) -> None:
        """Go on to the next byte that is not zero; archives are padded with zeros."""
        while (chunk := self.peek(_PADDING)) and not chunk.strip(b"\0"):
            self.take(len(chunk))
        self.take(len(chunk) - len(chunk.lstrip(b"\0")))


def members(path: Path) -> Iterator[Member]:
    """Yield every file of an initramfs, in order, reading the image to its very end.

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
            if packed.peek(1):
                raise InitramfsError(_NO_ARCHIVE)
        # Not before: the decompressor's own words tell more.
        if packed.offset == 0:
            raise InitramfsError(_NO_ARCHIVE)


def translate(image: Path, target: Path, words: Mapping[bytes, bytes]) -> None:
    """Write `image` to a new file `target` with each word replaced by one of the same length.

    Only what is compressed is looked at: before it lies the processor's microcode. Nothing moves
    in the archive, so that it needs no unpacking; newc archives have no checksum of their data.
    Raises InitramfsError where the image is not made so, CommandError, OSError.
    """
    if any(len(old) != len(new) for old, new in words.items()):
        raise ValueError("a word would change the archive's length")
    with image.open("rb") as file:
        before = _Input(file)
        for _ in _archives(before):
            pass
        start, magic = before.offset, before.peek(6)
    packer = _filter(_COMPRESSORS, magic)
    with image.open("rb", buffering=0) as raw, target.open("xb") as fresh:
        fresh.write(raw.read(start))
        raw.seek(start)
        # Unpacked it is several times as large: it is nowhere whole, /boot has no room for it.
        with (
            reading(_decompressor(magic), source=raw) as stream,
            piped(_replaced(stream, words)) as plain,
            reading(packer, source=plain) as packed,
        ):
            shutil.copyfileobj(packed, fresh, _CHUNK)


def replaced(data: bytes, words: Mapping[bytes, bytes]) -> bytes:
    """Return the bytes with each word replaced."""
    for old, new in words.items():
        if old in data:
            data = data.replace(old, new)
    return data


def _replaced(stream: BinaryIO, words: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield a stream with each word replaced, words across the border of two chunks included."""
    keep = max((len(word) for word in words), default=1) - 1
    rest = b""
    while chunk := stream.read(_CHUNK):
        rest = replaced(rest + chunk, words)
        border = max(0, len(rest) - keep)
        yield rest[:border]
        rest = rest[border:]
    yield rest


def _decompressor(magic: bytes) -> tuple[str, ...]:
    return _filter(_DECOMPRESSORS, magic)


def _filter(known: tuple[tuple[bytes, tuple[str, ...]], ...], magic: bytes) -> tuple[str, ...]:
    for start, argv in known:
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
        # int() would take signs, blanks and underscores, too.
        if not _FIELDS.fullmatch(header, 6):
            raise InitramfsError("a file's header is damaged")
        fields = [int(header[at : at + 8], 16) for at in range(6, _HEADER, 8)]
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
