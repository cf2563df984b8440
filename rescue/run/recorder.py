"""The recorder: it writes down what becomes of a mirror in a run, on both disks, in one order.

What may follow what is in `model.mirror.transition`. The writes, each one whole
(`run.state_store`):

    begin       the marker says RUNNING (the engine writes it, before the first file is touched),
                then the source's record; where a disk is made anew it has no marker yet, and the
                source's record says it before the first sector is written
    fail        the marker, then the source's record
    complete    the source's record: RUNNING still, with the generation that comes;
                the mirror: its past is forgotten, then recovery files and banners, then the marker;
                the source's record: COMPLETE

A marker is three files. What is less than complete is written to the boot menu's note first, then
to the second copy, then to the first; what is complete the other way round. So the second copy,
which counts where the first is damaged, never claims more than that (`store.records.save_marker`),
and whoever is asked after a cut, nobody says complete of a mirror that is not. Of a new generation
the source knows first: a mirror that is ahead of its record would be refused from then on; one that
is behind is not.

A source that cannot be written keeps no run from being made: its record is kept in memory, and
counts until the next start. After that the mirror's own marker is right, which the next status asks
(`mirrors.belief`), and the next run makes the mirror equal whatever its record says.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rescue.errors import RescueError, in_words
from rescue.grants import GuardRefusedError, WriteGrant
from rescue.model.mirror.plan import Plan, PlanKind
from rescue.model.mirror.record import MirrorRecord
from rescue.model.mirror.transition import (
    announced,
    audit_failed,
    begun,
    failed,
    overwritten,
    written,
)
from rescue.model.run.exposure import Proven
from rescue.run.state_store import Store


class Recorder:
    """What becomes of one mirror, under the grant of one run; `record` is what is true now.

    Of a failback the source keeps no record: the disk that is written is no mirror of this system.
    """

    def __init__(
        self, grant: WriteGrant, *, others: Sequence[MirrorRecord] = (), store: Store | None = None
    ) -> None:
        """`others` are the mirrors that are enrolled here: one may have lain on this disk."""
        self.record = grant.plan.record
        self.has_begun = False
        self._grant = grant
        self._others = others
        self._store = store or Store()

    @property
    def plan(self) -> Plan:
        """The plan that was granted; its record is the one that the run began with."""
        return self._grant.plan

    @property
    def kind(self) -> PlanKind:
        """Which verb's run it is."""
        return self.plan.kind

    def begin(self) -> None:
        """Note that the mirror is written from now on; said again, it changes nothing."""
        if self.has_begun:
            return
        self.has_begun = True
        self.record = begun(self.record)
        self._note_on_source(self.record)
        for other in self._others:
            if self._lay_here(other):
                self._store.note(overwritten(other, self.record.name))

    def fail(self, why: str) -> None:
        """Note why the run ended. Before it began, the mirror is what it was, and so is its marker.

        A mirror that cannot be written any more keeps its RUNNING marker, which says the same.
        """
        if self.has_begun:
            self._settle(failed(self.record, why))
        elif self.kind is PlanKind.MIRROR:
            self.warn(why)

    @contextlib.contextmanager
    def failed_by_errors(self) -> Iterator[None]:
        """Note an error of the block as what the run failed of, and pass it on."""
        try:
            yield
        except BaseException as error:
            self.fail(in_words(error))
            raise

    def written(self, found: MirrorRecord) -> None:
        """Know what the steps `found`: the marker has it already, the source is told at the end."""
        self.record = written(self.record, found)

    def audit_failed(self, why: str) -> None:
        """Note that the mirror would not boot."""
        self._settle(audit_failed(self.record, why))

    def complete(self, done: MirrorRecord, *, recovery_files: Mapping[str, bytes]) -> None:
        """Write that the mirror is complete, with the pages that a person reads on the night.

        Raises RescueError where the source cannot be written: the mirror is whole then, and says
        so under the generation that the source knows; RescueError and OSError where the mirror
        cannot be.
        """
        self._announce(done, recovery_files=recovery_files)
        try:
            self._store.mark(done, self._grant, recovery_files=recovery_files)
        except (RescueError, OSError):
            self.record = failed(self.record, "marker not written")
            self._store.note(self.record)
            raise
        self.record = done
        self._store.save(done)

    def warn(self, said: str) -> None:
        """Note what went wrong beside the run (a hook); the mirror is as good as it was."""
        if self.kind is PlanKind.FAILBACK:
            return
        with contextlib.suppress(RescueError, OSError):
            known = self._store.load(self.record.name)
            self._store.save(replace(known, last_error=said))

    def _announce(self, done: MirrorRecord, *, recovery_files: Mapping[str, bytes]) -> None:
        """Write the new generation into the source's record, which claims nothing else by it.

        A secret that is new is on the mirror first: one that only the source knew would lock it.
        """
        self.record = announced(self.record, done.generation)
        try:
            self._store.save(self.record)
        except OSError as error:
            # Nobody has proven this state: what was seen of that generation was another one.
            before = self.plan.record.generation
            known = replace(done, generation=before, last_proof=None)
            self._store.mark(known, self._grant, recovery_files=recovery_files)
            self._store.note_in_memory(known)
            raise RescueError(
                f"mirror '{done.name}' is complete and passed its audit, but the system cannot "
                f"record it: {error}",
                hint="the first disk is full or read-only ('dmesg', 'df'): fix that, or start "
                f"from the mirror; then 'rescue mirror {done.name}'",
            ) from error

    def _settle(self, record: MirrorRecord) -> None:
        """Write what is less than complete: the mirror first, then what the source knows.

        Where one of them cannot be written, the error that led here is the one to tell.
        """
        self.record = record
        with contextlib.suppress(RescueError, OSError):
            self._store.mark(record, self._grant)
        self._note_on_source(record)

    def _note_on_source(self, record: MirrorRecord) -> None:
        if self.kind is not PlanKind.FAILBACK:
            self._store.note(record)

    def _lay_here(self, other: MirrorRecord) -> bool:
        table = self.plan.target_table
        on_this = bool(table) and other.mirror.table_uuid == table
        return on_this and other.name != self.record.name


def tried(record: MirrorRecord, *, now: float, store: Store | None = None) -> MirrorRecord:
    """Note that a run onto this mirror begins, so that others get their turn if it is refused."""
    known = replace(record, last_tried=now)
    (store or Store()).note(known)
    return known


@contextlib.contextmanager
def comparison_noted(record: MirrorRecord, *, store: Store | None = None) -> Iterator[None]:
    """Note that the schedule's comparison was cut, until the block has come to its end.

    One that was refused for what it found did come to its end.
    """
    store = store or Store()
    store.note(replace(record, comparison_cut=True))
    try:
        yield
    except GuardRefusedError:
        store.note(record)
        raise
    store.note(record)


def proven(record: MirrorRecord, proof: Proven, *, store: Store | None = None) -> MirrorRecord:
    """Note what a proof came to, and return the record that says so. Raises OSError.

    After a failure the next run makes anew what the boot reads.
    """
    known = replace(record, last_proof=proof)
    (store or Store()).save(known if proof.passed else known.with_boot_files_anew())
    return known
