"""Encrypted folders (Linux: Documentation/filesystems/fscrypt.rst): locked or unlocked.

Without its key a folder can be listed all the same: its names are noise then, and none of the
names that it really holds is among them.
"""

import errno
import fcntl
import os
import re
import struct
from enum import Enum

# linux/fs.h and linux/fscrypt.h; the size of the argument is in the number.
_GET_FLAGS = 0x80086601
_ENCRYPTED_FLAG = 0x800
_GET_POLICY_EX = 0xC0096616
_GET_KEY_STATUS = 0xC080661A
_BY_DESCRIPTOR, _BY_IDENTIFIER = 1, 2
_PRESENT = 2
# A name without its key: at least 16 bytes in base64, in one of the alphabets of the kernels.
_NOISE = re.compile(r"[A-Za-z0-9+,_-]{22,}")


class Encryption(Enum):
    """Whether a folder is encrypted, and whether its names are readable."""

    NONE = "none"
    OPEN = "open"
    LOCKED = "locked"


def encryption(folder: int) -> Encryption:
    """Return it for a folder that is open as this file descriptor.

    A key that was taken away while files were still in use counts as gone: not all can be read.
    """
    flags = bytearray(8)
    policy = bytearray(struct.pack("<Q", 24) + bytes(24))
    try:
        fcntl.ioctl(folder, _GET_FLAGS, flags)
        if not struct.unpack_from("<I", flags)[0] & _ENCRYPTED_FLAG:
            return Encryption.NONE
        fcntl.ioctl(folder, _GET_POLICY_EX, policy)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            return Encryption.NONE
        raise
    return Encryption.OPEN if _is_open(folder, bytes(policy[8:])) else Encryption.LOCKED


def _is_open(folder: int, policy: bytes) -> bool:
    is_old = policy[0] == 0
    name = policy[4:12] if is_old else policy[8:24]
    head = struct.pack("<II", _BY_DESCRIPTOR if is_old else _BY_IDENTIFIER, 0)
    argument = bytearray((head + name).ljust(128, b"\0"))
    fcntl.ioctl(folder, _GET_KEY_STATUS, argument)
    if struct.unpack_from("<I", argument, 64)[0] == _PRESENT:
        return True
    # Keys of old policies may be in a process' keyring, where they cannot be queried.
    return is_old and not all(_NOISE.fullmatch(name) for name in os.listdir(folder))
