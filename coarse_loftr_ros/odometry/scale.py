"""The length of a motion, from lengths before it and from what measures it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LogLength", "fuse", "weighted_median"]

# A median of normal values has 1.2533 times the standard error of their mean.
_MEDIAN_LOSS = 1.2533


@dataclass(frozen=True)
class LogLength:
    """A length as its logarithm, so that errors are shares of it.

    Attributes:
        value: natural logarithm of the length.
        variance: of the logarithm.
    """

    value: float
    variance: float

    @staticmethod
    def of(length: float, share: float = 0.0) -> LogLength:
        """A positive length whose standard deviation is this share of it."""
        return LogLength(float(np.log(length)), share * share)

    @property
    def length(self) -> float:
        """The length itself."""
        return float(np.exp(self.value))


def fuse(compared: LogLength | None, measured: LogLength | None) -> LogLength | None:
    """The length by two independent sources (Kalman 1960).

    Lengths that are compared with earlier ones drift slowly; a speed, a range or the ground
    measures them anew each time, with more noise.

    Args:
        compared: from earlier lengths.
        measured: by itself.
    """
    if compared is None or measured is None:
        return compared or measured
    gain = compared.variance / max(compared.variance + measured.variance, 1e-300)
    value = compared.value + gain * (measured.value - compared.value)
    return LogLength(value, compared.variance * (1.0 - gain))


def weighted_median(
    values: NDArray[np.float64], variance: NDArray[np.float64]
) -> tuple[float, float]:
    """Median of values of different precision, with its variance.

    Args:
        values: [N], at least one.
        variance: of each [N].
    """
    order = np.argsort(values)
    cumulated = np.cumsum(1.0 / variance[order])
    median = float(values[order][np.searchsorted(cumulated, 0.5 * cumulated[-1])])
    # The spread that is seen, and at least the one that is expected.
    pulls = np.sort(np.abs(values - median) / np.sqrt(variance))
    spread = max(1.0, float(1.4826 * pulls[len(pulls) // 2]))
    return median, (_MEDIAN_LOSS * spread) ** 2 / float(cumulated[-1])
