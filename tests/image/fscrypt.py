"""Folders of ext4 that are encrypted by the kernel, unlocked and locked as a login does it."""

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

# linux/fscrypt.h; the numbers are _IOR and _IOWR of 'f' with the size of their argument.
_SET_POLICY = 0x800C6613
_ADD_KEY = 0xC0506617
_REMOVE_KEY = 0xC0406618
_BY_IDENTIFIER = 2
_AES_256_XTS, _AES_256_CTS, _PADDING_32 = 1, 4, 3


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A key that a file system can be given and lose again."""

    root: Path
    secret: bytes

    def unlock(self) -> bytes:
        """Give the key to the file system, and return its identifier."""
        head = struct.pack("<II32xII32x", _BY_IDENTIFIER, 0, len(self.secret), 0)
        argument = bytearray(head + self.secret)
        _ask(self.root, _ADD_KEY, argument)
        return bytes(argument[8:24])

    def lock(self) -> None:
        """Take the key away: names and contents are there as the disk has them."""
        identifier = self.unlock()
        os.sync()
        argument = bytearray(struct.pack("<II", _BY_IDENTIFIER, 0) + identifier + bytes(40))
        _ask(self.root, _REMOVE_KEY, argument)

    def encrypt(self, folder: Path) -> None:
        """Encrypt all that will be made in an empty folder (man 1 fscrypt, 'encrypt')."""
        policy = struct.pack("<BBBB4x", 2, _AES_256_XTS, _AES_256_CTS, _PADDING_32)
        _ask(folder, _SET_POLICY, bytearray(policy + self.unlock()))


def _ask(folder: Path, request: int, argument: bytearray) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(fd, request, argument)
    finally:
        os.close(fd)
