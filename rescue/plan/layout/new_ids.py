"""New identifiers, taken from random UUIDs that were drawn before planning."""

from collections.abc import Iterable
from dataclasses import dataclass

from rescue.model.storage.disk import Disk, TableKind
from rescue.plan.layout.contents import contents_of, names


@dataclass(frozen=True, kw_only=True)
class NewIds:
    """The random UUIDs, and the ids in use on any attached disk (all in lower case).

    The same drawing gives the same identifiers: each has its own place in the deal.
    """

    drawn: tuple[str, ...]
    taken: frozenset[str]

    def table_uuid(self, kind: TableKind) -> str:
        """Return a disk GUID in lower case, or an MBR signature: 8 digits, never zero."""
        drawn = self._at(0)
        return drawn if kind is TableKind.GPT else self._eight_digits(drawn)

    def partuuid(self, index: int) -> str:
        """Return the PARTUUID of the table's partition at that index (GPT)."""
        return self._at(1 + 2 * index)

    def content_uuid(self, index: int) -> str:
        """Return the UUID of what is made on the table's partition at that index."""
        return self._at(2 + 2 * index)

    def vfat_id(self, index: int) -> str:
        """Return a volume id for vfat as libblkid spells it, 'ABCD-1234' (man 8 mkfs.vfat)."""
        digits = self._eight_digits(self.content_uuid(index)).upper()
        return f"{digits[:4]}-{digits[4:]}"

    def tokens(self, index: int) -> Iterable[str]:
        """Yield short texts of four hex digits that tell labels apart."""
        digits = self.content_uuid(index).replace("-", "")
        return (digits[at : at + 4] for at in range(len(digits) - 3))

    def _at(self, place: int) -> str:
        if place >= len(self.drawn):
            raise ValueError(f"{len(self.drawn)} new UUIDs are too few for this disk")
        return self.drawn[place].lower()

    def _eight_digits(self, drawn: str) -> str:
        digits = drawn.replace("-", "")
        eights = (digits[at : at + 8] for at in range(len(digits) - 7))
        return next(
            each
            for each in eights
            if int(each, 16) and not {each, f"{each[:4]}-{each[4:]}"} & self.taken
        )


def taken_ids(disks: Iterable[Disk]) -> frozenset[str]:
    """Return every table id, PARTUUID and UUID on these disks, in lower case."""
    found = set()
    for disk in disks:
        found |= {names(content)[0] for content in contents_of(disk)}
        found |= {part.uuid for part in disk.partitions}
        found |= {disk.table.uuid} if disk.table else set()
    return frozenset(each.lower().removeprefix("0x") for each in found if each)


def taken_labels(disks: Iterable[Disk]) -> frozenset[str]:
    """Return every label on these disks, case folded: vfat's have no case."""
    labels = (names(content)[1] for disk in disks for content in contents_of(disk))
    return frozenset(label.casefold() for label in labels if label)
