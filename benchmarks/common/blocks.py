"""How far a figure of a sequence changes, with intervals from blocks of neighbouring pairs.

Images overlap with their neighbours, so pairs are not independent: samples are of whole blocks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["change"]

BLOCK = 8  # pairs
RESAMPLES = 2000


def change(
    values: NDArray[np.float64],
    first: NDArray[np.float64],
    statistic: Callable[..., NDArray[np.float64]] = np.median,
    places: int = 3,
) -> str:
    """How a statistic of pairs differs from that of others, with its 95 % interval.

    Args:
        values: [N], of the pairs in the order of their images.
        first: [N], of the same pairs, to compare with.
        statistic: such as the median; takes an ``axis``.
        places: decimals.
    """
    blocks = _resampled(len(values))
    difference = _difference(statistic(values), statistic(first))
    drawn = _difference(statistic(values[blocks], axis=1), statistic(first[blocks], axis=1))
    low, high = np.percentile(drawn, (2.5, 97.5), method="nearest")
    return f"{difference:+.{places}f} [{low:+.{places}f}, {high:+.{places}f}]"


def _difference(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The difference of figures, 0 where both are infinite."""
    both = np.isinf(values) & (values == others)
    return np.where(both, 0.0, values) - np.where(both, 0.0, others)


def _resampled(count: int) -> NDArray[np.int64]:
    """Numbers of pairs, int64 [RESAMPLES, count]: blocks of neighbours, drawn with replacement."""
    rng = np.random.default_rng(0)
    starts = rng.integers(count, size=(RESAMPLES, -(-count // BLOCK), 1))
    return ((starts + np.arange(BLOCK)) % count).reshape(RESAMPLES, -1)[:, :count]
