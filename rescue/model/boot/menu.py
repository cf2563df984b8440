"""GRUB's menu as data, and which of its entries concern the system it belongs to.

A menu names more than that system: memory tests, network boot, Windows, what os-prober found on
other disks. What must boot is the entry that is started by default, and the system's own kernels.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from rescue.units import whole_number

_STEP_INTO = re.compile(r"(?<!>)>(?!>)")

# What grub-mkconfig writes of the system itself; a menu by hand has no sections.
_OWN = ("", "/etc/grub.d/10_linux", "/etc/grub.d/20_linux_xen")
_OF_OTHERS = ("/etc/grub.d/30_os-prober",)


class Concern(StrEnum):
    """How much an entry concerns the system whose menu it is in."""

    DEFAULT = "default"
    OWN = "own"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A menuentry or submenu: `parent` is the index of the submenu around it, -1 at the top.

    A `conditional` one stands within an 'if': whether it is in the menu is decided at the boot.
    """

    title: str
    id: str
    section: str
    parent: int
    submenu: bool
    conditional: bool


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search for a file system: by 'uuid', 'label' or 'file'. `entry` is -1 outside of one."""

    by: str
    value: str
    section: str
    entry: int = -1


@dataclass(frozen=True, kw_only=True)
class Image:
    """A program that an entry starts as a kernel; paths are on the file system last searched for.

    `filesystem` is that UUID, '' where nothing was searched for. `entry` is -1 outside any
    entry.
    """

    title: str
    section: str
    filesystem: str
    path: str
    arguments: tuple[str, ...]
    initrds: tuple[str, ...] = ()
    entry: int = -1

    @property
    def root(self) -> str:
        """The root file system on its command line, '' if there is none."""
        named = [arg.partition("=")[2] for arg in self.arguments if arg.startswith("root=")]
        return named[-1] if named else ""

    @property
    def is_linux(self) -> bool:
        """Whether it is a kernel of Linux: memory tests and the like know no root."""
        return bool(self.root) or self.section in _OWN[1:]


@dataclass(frozen=True, kw_only=True)
class Menu:
    """What grub.cfg says. `faults` are sentences on why the file cannot be whole.

    `default` is as the menu sets it: a number, title or id, or '${saved_entry}'.
    """

    searches: tuple[Search, ...]
    images: tuple[Image, ...]
    sections: tuple[str, ...]
    faults: tuple[str, ...]
    entries: tuple[Entry, ...] = ()
    default: str = ""

    def default_entry(self, saved: str = "") -> int | None:
        """Return the index of the entry that starts unless somebody chooses another.

        `saved` is 'saved_entry' of the environment block. None where it is decided at the boot.
        """
        named = saved if self.default in ("${saved_entry}", "$saved_entry") else self.default
        if "$" in named:
            return None
        at = -1
        for step in (*_STEP_INTO.split(named), "0", "0"):
            if at >= 0 and not self.entries[at].submenu:
                break
            found = self._child(at, step.replace(">>", ">"))
            if found is None:
                return None
            at = found
        return at

    def _child(self, parent: int, named: str) -> int | None:
        """Return the entry of a menu that a number, id or title names, the first where none does.

        An entry that may be missing from the menu makes the numbers behind it uncertain.
        """
        there = [index for index, each in enumerate(self.entries) if each.parent == parent]
        for index in there:
            if named and named in (self.entries[index].id, self.entries[index].title):
                return index
        number = whole_number(named) or 0
        number = number if number < len(there) else 0
        if any(self.entries[index].conditional for index in there[: number + 1]):
            return None
        return there[number] if there else None

    def concern(
        self, image: Image, *, default: int | None, is_root: Callable[[str], bool]
    ) -> Concern:
        """Return whether the system whose menu this is must be able to start an image.

        `default` is the index of the default entry; `is_root` tells whether a root= names the
        system's own root file system.
        """
        if default is not None and image.entry == default:
            return Concern.DEFAULT
        if image.section in _OF_OTHERS or not image.is_linux:
            return Concern.OTHER
        own = image.section in _OWN or is_root(image.root)
        return Concern.OWN if own else Concern.OTHER
