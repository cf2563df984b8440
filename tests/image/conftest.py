"""Fixtures that many image tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.loopdisks import DiskPair, disk_pair


@pytest.fixture(name="pair")
def pair_(tmp_path: Path) -> Iterator[DiskPair]:
    """A small machine and its mirror, empty yet; a file of tests may have one of its own."""
    with disk_pair(tmp_path) as made:
        yield made
