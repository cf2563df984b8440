"""What a disk is recognised by: never its kernel name, never its size."""

from dataclasses import dataclass


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
        """Whether anything but the place in the machine tells this disk from another."""
        return bool(self.serial or self.wwn)

    @property
    def name(self) -> str:
        """The one name that people type and read: the serial, else the WWN, else nothing."""
        return self.serial or self.wwn

    def is_named_by(self, text: str) -> bool:
        """Whether what a person typed names this very disk (serial, WWN or a by-id name)."""
        wanted = text.strip().removeprefix("/dev/disk/by-id/")
        return bool(wanted) and wanted in (self.serial, self.wwn, *self.by_id)

    def same_disk(self, other: "DiskId") -> bool:
        """Whether both identities are of one disk: nothing known to both differs.

        At least one of serial and WWN must be known to both.
        """
        pairs = ((self.serial, other.serial), (self.wwn, other.wwn))
        known = [(one, two) for one, two in pairs if one and two]
        return bool(known) and all(one == two for one, two in known)
