"""The parsers of our own state, as a disk that rots or a stranger's disk gives it."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from rescue.errors import ExitCode, UsageError
from rescue.model.mirror.plan import PLAN_VERSION, Plan, PlanKind
from rescue.model.mirror.record import HANDOVER_VERSION, RECORD_VERSION, Handover, MirrorRecord
from rescue.model.rehearsal import DRILL_VERSION, DrillResult
from rescue.model.run.history import HISTORY_VERSION, RunEntry, RunFigures, end_of
from rescue.store.codec import from_json, to_json, to_stored_json
from tests.fuzz.target import Kind, Target
from tests.unit.rehearsal.test_rehearsal_store import on_day
from tests.unit.run.test_run_history import SUMMARY, THERE
from tests.unit.store.test_codec import a_plan
from tests.unit.store.test_migrate import as_before_places

RECORD = replace(THERE.record, last_run=SUMMARY, fstab=("UUID=a / ext4 defaults 0 1",))
ENTRY = RunEntry(
    kind=PlanKind.MIRROR,
    mirror="attic",
    started=1.0,
    end=end_of(ExitCode.DONE),
    figures=RunFigures.of(SUMMARY),
)


def _reader(kind: type[object], version: int) -> Callable[[str], object]:
    def read(text: str) -> object:
        data = text.encode("utf-8", "surrogatepass")
        value = from_json(data, kind, known_version=version, where="a test")
        # What is believed is written again one day, and can be said, and can be a file's name.
        again = to_stored_json(value)
        assert from_json(again, kind, known_version=version, where="a test") == value
        for word in _words(json.loads(again)):
            os.fsencode(word)
        return value

    return read


def _words(tree: object) -> Iterator[str]:
    """Yield every text in a tree of JSON."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        yield from (word for each in tree.items() for part in each for word in _words(part))
    elif isinstance(tree, list):
        yield from (word for each in tree for word in _words(each))


TARGETS = tuple(
    Target(
        name=kind.__name__,
        parse=_reader(kind, version),
        specimens=(to_json(value), *older),
        kind=Kind.JSON,
        errors=(UsageError,),
    )
    for kind, version, value, older in (
        (MirrorRecord, RECORD_VERSION, RECORD, (json.dumps(as_before_places(RECORD)),)),
        (Handover, HANDOVER_VERSION, Handover(record=RECORD, boot_id="b", at=1.0), ()),
        (RunEntry, HISTORY_VERSION, ENTRY, ()),
        (DrillResult, DRILL_VERSION, on_day(1), ()),
        (Plan, PLAN_VERSION, a_plan(), ()),
    )
)
