"""What other sensors measured about the time of an image."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Samples"]


@dataclass
class Samples:
    """The latest numbers of a sensor with their stamps, in order of time.

    Attributes:
        capacity: most numbers that are kept; beyond it the one that came first goes. That is not
            always the one with the least stamp: time may go back.
    """

    capacity: int = 256
    _stamps: list[int] = field(default_factory=list)
    _values: dict[int, float] = field(default_factory=dict)

    def add(self, stamp: int, value: float) -> None:
        """Take a number; of two with one stamp the later stays."""
        if self._values.pop(stamp, None) is None:
            insort(self._stamps, stamp)
        self._values[stamp] = value  # the last of the dictionary, whose order is that of coming
        if len(self._stamps) > self.capacity:
            first = next(iter(self._values))
            del self._values[first]
            self._stamps.remove(first)

    def restart(self, stamp: int) -> None:
        """Time went back to about a stamp: drop what is of the time before.

        Sensors and images come on topics of their own: the sensor's time may have gone back
        already, or go back later.
        """
        came = list(self._values)
        if not came or came[-1] > stamp:
            kept = []
        else:
            back = [k for k, (before, after) in enumerate(pairwise(came), 1) if after < before]
            kept = came[max(back, default=0) :]
        self._values = {each: self._values[each] for each in kept}
        self._stamps = sorted(kept)

    def nearest(self, stamp: int, tolerance_ns: int) -> float | None:
        """The number nearest in time, or ``None`` when all are farther than the tolerance."""
        at = bisect_left(self._stamps, stamp)
        found = min(self._stamps[max(at - 1, 0) : at + 1], key=lambda s: abs(s - stamp), default=0)
        if not self._stamps or abs(found - stamp) > tolerance_ns:
            return None
        return self._values[found]

    def mean(self, after: int, until: int, tolerance_ns: int) -> float | None:
        """Mean of the numbers in a time, or the nearest to its middle when there is none in it.

        Args:
            after: beginning of the time, exclusive, ns.
            until: its end, inclusive, ns.
            tolerance_ns: largest distance of the nearest one.
        """
        begin, end = (bisect_right(self._stamps, stamp) for stamp in (after, until))
        within: Sequence[int] = self._stamps[begin:end]
        if not within:
            return self.nearest((after + until) // 2, tolerance_ns)
        return sum(self._values[stamp] for stamp in within) / len(within)
