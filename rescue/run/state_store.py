"""The store: where the state of mirrors is written, on the source and on the mirror.

On the source a record for each mirror; on the mirror, below /.rescue, its marker in two copies, the
note for the medium's boot menu, what is shown at a login, and what a person reads on the night.
Every file is replaced whole (write, fsync, rename, fsync), so that a power cut falls between two of
them and into none.

Where the source cannot be written, the record is kept in memory (/run), which counts until the next
start: a half-written mirror must not go on being called complete meanwhile.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rescue import paths
from rescue.apply.marker import Mount, mirror_root, store_marker
from rescue.apply.workspace import Site
from rescue.grants import WriteGrant
from rescue.model.mirror.record import MirrorRecord
from rescue.store.records import (
    forget_unsaved,
    load_record,
    save_record,  # noqa: TID251
    save_unsaved,
)


@dataclass(frozen=True, kw_only=True)
class Store:
    """The places: `records` is a folder of the source; `mount` gives the root of a mirror.

    `unsaved` is a folder in memory, for what the source cannot be told.
    """

    records: Path = paths.RECORDS
    unsaved: Path = paths.UNSAVED
    site: Site | None = None
    mount: Mount = mirror_root

    def load(self, name: str) -> MirrorRecord:
        """Return what the source knows of a mirror. Raises what `load_record` raises."""
        return load_record(name, self.records, self.unsaved)

    def save(self, record: MirrorRecord) -> None:
        """Let the source know it. Raises OSError."""
        save_record(record, self.records)
        with contextlib.suppress(OSError):
            forget_unsaved(record.name, self.unsaved)

    def note(self, record: MirrorRecord) -> None:
        """Let the source know it if it can be written: one that is full is mirrored all the same.

        Nor may it take the place of the error that the record would tell of.
        """
        try:
            self.save(record)
        except OSError:
            self.note_in_memory(record)

    def note_in_memory(self, record: MirrorRecord) -> None:
        """Know it until the next start, where the source cannot be told."""
        with contextlib.suppress(OSError):
            save_unsaved(record, self.unsaved)

    def mark(
        self,
        record: MirrorRecord,
        grant: WriteGrant,
        *,
        recovery_files: Mapping[str, bytes] | None = None,
    ) -> None:
        """Let the granted mirror say it of itself. Raises what `store_marker` raises."""
        store_marker(record, grant, recovery_files=recovery_files, site=self.site, mount=self.mount)
