"""A system's tree seen from outside: symbolic links never lead out of it."""

import errno
import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rescue.system.files.foreign import read_regular

_MAX_HOPS = 40  # the kernel's own limit (man 7 path_resolution)
_LONGEST = 32 * 1024 * 1024  # bytes; no text that a boot reads comes near it


_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A system's tree mounted at `root`; every path given is as that system itself names it."""

    root: Path

    def locate(self, path: str, *, ignore_case: bool = False) -> Path:
        """Return where a path of the tree lies on this machine, every link resolved inside it.

        An absolute link begins at the tree's root, and '..' never leaves it. What does not exist
        is returned as it would be. `ignore_case` is for vfat, which knows no case. Raises OSError
        (ELOOP) for links that go in circles, and (ENOENT) for what can be no path.
        """
        if "\0" in path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        ahead = [part for part in path.split("/") if part][::-1]
        done: list[str] = []
        hops = 0
        while ahead:
            part = ahead.pop()
            if part == ".":
                continue
            if part == "..":
                done = done[:-1]
                continue
            here = self.root.joinpath(*done)
            if ignore_case:
                part = _spelled(here, part)
            if (here / part).is_symlink():
                hops += 1
                if hops > _MAX_HOPS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                target = str((here / part).readlink())
                done = [] if target.startswith("/") else done
                ahead += [piece for piece in target.split("/") if piece][::-1]
            else:
                done.append(part)
        return self.root.joinpath(*done)

    def is_file(self, path: str) -> bool:
        """Whether the path is a regular file."""
        mode = self._mode(path)
        return mode is not None and stat.S_ISREG(mode)

    def is_dir(self, path: str) -> bool:
        """Whether the path is a directory."""
        mode = self._mode(path)
        return mode is not None and stat.S_ISDIR(mode)

    def _mode(self, path: str) -> int | None:
        try:
            return self.locate(path).lstat().st_mode
        except OSError as error:
            # Only these mean 'not there'; a read error of the disk must not look like it.
            if error.errno in _NOT_THERE:
                return None
            raise

    def text(self, path: str) -> str:
        """Return a file's text, undecodable bytes and carriage returns kept.

        Raises OSError, EFBIG for what is too large to be such a text.
        """
        return self.data(path, most=_LONGEST).decode("utf-8", "surrogateescape")

    def data(self, path: str, *, most: int) -> bytes:
        """Return a file's content. Raises OSError, EFBIG if it has more than `most` bytes."""
        return read_at_most(self.locate(path), most)

    def names(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in a directory, none if it does not exist."""
        if not self.is_dir(path):
            return ()
        return tuple(sorted(entry.name for entry in self.locate(path).iterdir()))

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Return the files whose path matches a pattern such as '/boot/efi/EFI/*/grub.cfg'.

        '**' as the last part stands for every file below a folder. Links are followed
        inside the tree, except for those that lead to a folder around the one that they lie
        in.
        """
        return tuple(sorted(path for path in self._match("", pattern) if self.is_file(path)))

    def _match(self, base: str, pattern: str) -> Iterator[str]:
        part, _, rest = pattern.lstrip("/").partition("/")
        if part == "**":
            yield from self._below(base, self.locate(base or "/"))
            return
        wild = any(sign in part for sign in "*?[")
        names = fnmatch.filter(self.names(base or "/"), part) if wild else [part]
        for name in names:
            if rest:
                yield from self._match(f"{base}/{name}", rest)
            else:
                yield f"{base}/{name}"

    def _below(self, base: str, folder: Path) -> Iterator[str]:
        for name in self.names(base or "/"):
            path = f"{base}/{name}"
            if not self.is_dir(path):
                yield path
            elif not folder.is_relative_to(inner := self.locate(path)):
                yield from self._below(path, inner)


def read_at_most(path: Path, most: int) -> bytes:
    """Return the content of a regular file, refusing links and anything that would block.

    Raises OSError, EFBIG where that is more than `most` bytes.
    """
    return read_regular(path.parent, path.name, most=most)


def _spelled(directory: Path, name: str) -> str:
    """Return the name as the directory spells it, whatever the case; itself where absent."""
    if (directory / name).exists() or not directory.is_dir():
        return name
    wanted = name.casefold()
    seen = (entry.name for entry in directory.iterdir())
    return next((one for one in seen if one.casefold() == wanted), name)


def without_comments(text: str) -> str:
    """Return the text without comment lines, whose words have no effect."""
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(("#", ";")))
