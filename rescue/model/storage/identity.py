"""The identity of a disk: never its kernel name, never its size.

A serial alone is the word of an adapter, too: a USB dock may show one of its own for every disk in
it. Which disk is a mirror is decided in plan/checks/recognise.py, by more than that.
"""

from dataclasses import dataclass

_BY_ID = "/dev/disk/by-id/"


def spelled(text: str) -> str:
    """Return a name of a disk as it is compared: without blanks around it and udev's folder."""
    return text.strip().removeprefix(_BY_ID)


@dataclass(frozen=True, kw_only=True)
class DiskId:
    """The stable identity of a whole disk, as its firmware and udev give it.

    `by_id` holds the names below /dev/disk/by-id that point to the whole disk, sorted.
    """

    serial: str = ""
    wwn: str = ""
    by_id: tuple[str, ...] = ()

    @property
    def is_stable(self) -> bool:
        """Whether anything beyond its place in the machine tells this disk from others."""
        return bool(self.serial or self.wwn)

    @property
    def name(self) -> str:
        """The one name that people type and read: the serial, otherwise the WWN, or nothing."""
        return self.serial or self.wwn

    def is_named_by(self, text: str) -> bool:
        """Whether a person's input names this very disk (serial, WWN or a by-id name)."""
        wanted = spelled(text)
        return bool(wanted) and wanted in (self.serial, self.wwn, *self.by_id)

    def same_disk(self, other: "DiskId") -> bool:
        """Whether both identities are of one disk: nothing known to both differs.

        At least one of serial and WWN must be known to both.
        """
        pairs = ((self.serial, other.serial), (self.wwn, other.wwn))
        known = [(one, two) for one, two in pairs if one and two]
        return bool(known) and all(one == two for one, two in known)

    def is_unchanged(self, seen: "DiskId") -> bool:
        """Whether a disk seen again at one place shows what was seen there before.

        Serial and WWN as in `same_disk`; of two by-id names that both times were there, one at
        least is the same: it tells disks of one adapter apart by their slot.
        """
        if not self.is_stable:
            return not seen.is_stable
        slots = (set(self.by_id), set(seen.by_id))
        return self.same_disk(seen) and (not all(slots) or bool(slots[0] & slots[1]))
