"""The digests of last time on a disk that rots: put aside, said, or read; never another error."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.errors import RescueError, UsageError
from rescue.model.run.rot import Known
from rescue.system.files.digests import opened
from tests.fuzz.damage import damaged
from tests.fuzz.declared import expect_declared
from tests.fuzz.effort import FEW_TRIES

KNOWN = Known(size=4096, mtime_ns=1_700_000_000_000_000_000, ctime_ns=1, digest=bytes(range(16)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("digests") / "whole.sqlite"
    with opened(path) as digests:
        for number in range(40):
            digests.put("/", f"etc/{number}", KNOWN)
        digests.commit()
    return path.read_bytes()


@FEW_TRIES
@given(draws=st.data())
def test_a_damaged_one(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, draws: st.DataObject
) -> None:
    path = Path(tmp_path_factory.getbasetemp(), "digests.sqlite")
    path.write_bytes(draws.draw(damaged((whole, whole[:4096], whole[4096:]))))
    with contextlib.suppress(RescueError):
        _compare(path)
    # The second time at the latest they can be used again; a version that is newer stays so.
    with contextlib.suppress(UsageError):
        _compare(path)


def _compare(path: Path) -> None:
    with opened(path) as digests:
        for number in range(40):
            expect_declared(digests.get("/", f"etc/{number}"))
            digests.put("/", f"etc/{number}", KNOWN)
        digests.forget_others("/")
        digests.commit()
