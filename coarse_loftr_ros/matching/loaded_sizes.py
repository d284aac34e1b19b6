"""The network as loaded for the last image sizes, and how often for another one."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.matcher import Matcher

__all__ = ["LoadedSizes", "LoadingLimit", "TooManySizesError"]

# Sizes that stay loaded: those of two cameras on one topic, and of one that is reconfigured.
_KEPT = 3


class TooManySizesError(BackendError):
    """Images of yet another size, for which the network is not loaded now."""


@dataclass(frozen=True)
class LoadingLimit:
    """How often the network may be loaded for another size, so that images do not wait for it.

    Attributes:
        loads: that may follow each other at once.
        period_s: in which there are at most so many; longer where they take long.
        share: of the time that loading may take at most, when each image has another size.
    """

    loads: int = 3
    period_s: float = 30.0
    share: float = 0.2


class LoadedSizes:
    """Keeps the last sizes loaded; the least recently used one is closed.

    Args:
        load: loads the network for a size; slow.
        limit: of loading; ``None`` loads whenever another size comes.
        now: a steady clock, seconds.
    """

    def __init__(
        self,
        load: Callable[[NetworkSize], Matcher],
        limit: LoadingLimit | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._limit = limit
        self._now = now
        self._matchers: OrderedDict[NetworkSize, Matcher] = OrderedDict()
        self._loads: deque[tuple[float, float]] = deque(maxlen=limit.loads if limit else 0)

    def get(self, size: NetworkSize) -> Matcher:
        """The network loaded for a size.

        Raises:
            TooManySizesError: when it is not, and the limit does not allow to load it now.
            BackendError: when it cannot be.
        """
        matcher = self._matchers.get(size)
        if matcher is None:
            self._check(size)
            if len(self._matchers) == _KEPT:  # before, as the memory of a GPU may be short
                self._matchers.popitem(last=False)[1].backend.close()
            begin = self._now()
            try:
                matcher = self._matchers[size] = self._load(size)
            finally:  # one that fails takes time as well
                self._loads.append((begin, self._now()))
        self._matchers.move_to_end(size)
        return matcher

    def close(self) -> None:
        """Give back what the runtimes hold."""
        while self._matchers:
            self._matchers.popitem()[1].backend.close()

    def _check(self, size: NetworkSize) -> None:
        limit = self._limit
        if limit is None or len(self._loads) < limit.loads:
            return
        spent = sum(end - begin for begin, end in self._loads)
        period = max(limit.period_s, spent / limit.share)
        left = self._loads[0][0] + period - self._now()
        if left > 0:
            loaded = ", ".join(map(str, self._matchers))
            raise TooManySizesError(
                f"images of another size need the network loaded for {size}; it was loaded "
                f"{limit.loads} times within {period:.0f} s, and is not for another {left:.0f} s "
                f"(it is for {loaded})"
            )
