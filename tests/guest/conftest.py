"""Fixtures of the guest tests: the lab."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.accel import STOCK
from tests.lab.hardware import missing_programs
from tests.lab.lab import Lab
from tests.lab.stock import Stock
from tests.lab.variant import Variant

CHECKOUT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as a guest test, and skip it where guests cannot run."""
    mine = [item for item in items if Path(__file__).parent in item.path.parents]
    missing = missing_programs() if mine else []
    for item in mine:
        item.add_marker(pytest.mark.guest)
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)}"))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a server by what tells it from others in few words."""
    return f"{val.suite}-{val.disk.name.lower()}" if isinstance(val, Variant) else None


@pytest.fixture(scope="session")
def stock() -> Stock:
    """What the whole session shares."""
    return Stock(checkout=CHECKOUT, directory=Path(os.environ[STOCK]))


@pytest.fixture
def lab(stock: Stock, tmp_path: Path) -> Iterator[Lab]:
    """One test's corner of the lab. Consoles are kept; disks only with RESCUE_LAB_KEEP=1."""
    yield Lab(stock, tmp_path)
    if not os.environ.get("RESCUE_LAB_KEEP"):
        for disk in tmp_path.rglob("*.qcow2"):
            disk.unlink()
