"""Rows of two measurements in turn: medians, and their ratio."""

import statistics
from collections.abc import Callable

ROUNDS = 3


def row(
    what: str,
    ours: Callable[[], float],
    peer: Callable[[], float],
    *,
    wanted: str,
    rounds: int = ROUNDS,
) -> tuple[str, ...]:
    """Measure both in turn, in seconds; return the medians and their ratio as text."""
    pairs = [(ours(), peer()) for _ in range(rounds)]
    left, right = (statistics.median(each) for each in zip(*pairs, strict=True))
    return what, f"{left:.1f}", f"{right:.1f}", f"{left / right:.2f}", wanted
