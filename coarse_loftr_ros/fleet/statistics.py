"""Differences of pairs, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["PairedDifference", "paired_difference"]

_RESAMPLES = 4000
_CHUNK = 200
_LEAST_PAIRS = 6
"""Of fewer even the signs may all be alike by chance (1 in 16 or more, sign test)."""


@dataclass(frozen=True)
class PairedDifference:
    """The same recordings before and after.

    Attributes:
        pairs: recordings with both numbers.
        before: mean.
        after: mean.
        difference: mean of after less before.
        low: lower end of its 95 % interval.
        high: upper end.
        better: pairs that became better by at least the least difference.
        worse: pairs that became worse by as much.
    """

    pairs: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    better: int
    worse: int

    @property
    def sure(self) -> bool:
        """Whether the interval leaves zero out, and there are pairs enough to say so."""
        return self.pairs >= _LEAST_PAIRS and (self.low > 0 or self.high < 0)


def paired_difference(
    before: Sequence[float], after: Sequence[float], sign: int = 1, least: float = 0.0
) -> PairedDifference | None:
    """Mean difference of pairs with its percentile bootstrap interval (Efron 1979).

    Whole recordings are resampled, because images of one recording are no independent evidence.
    The resamples are the same every time.

    Args:
        before: one value per recording.
        after: of the same recordings.
        sign: 1 where more is better, -1 where less is.
        least: smallest difference that counts as better or worse.

    Returns:
        The difference; ``None`` without pairs.
    """
    if not len(before):
        return None
    first, second = np.asarray(before, float), np.asarray(after, float)
    change = second - first
    random = np.random.default_rng(0)
    means = np.concatenate(
        [
            change[random.integers(0, len(change), (_CHUNK, len(change)))].mean(axis=1)
            for _ in range(_RESAMPLES // _CHUNK)
        ]
    )
    low, high = np.percentile(means, (2.5, 97.5))
    gain = sign * change
    return PairedDifference(
        len(change),
        float(first.mean()),
        float(second.mean()),
        float(change.mean()),
        float(low),
        float(high),
        int((gain >= max(least, 1e-12)).sum()),
        int((-gain >= max(least, 1e-12)).sum()),
    )
