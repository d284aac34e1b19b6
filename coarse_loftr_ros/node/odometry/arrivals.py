"""Matches in time, brought together with the stereo matches of the same images.

They come on two topics, which have no common order.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Arrivals", "Waiting"]

Temporal = TypeVar("Temporal")
Stereo = TypeVar("Stereo")

# Stereo matches that are kept; of the reference and the images after it only two are needed.
_KEPT = 32


@dataclass(frozen=True)
class Waiting(Generic[Temporal]):
    """Matches in time.

    Attributes:
        item: the matches.
        reference_stamp: of their reference, ns.
        stamp: of their current image, ns.
        received: when they came, seconds of any steady clock.
    """

    item: Temporal
    reference_stamp: int
    stamp: int
    received: float


class Arrivals(Generic[Temporal, Stereo]):
    """Keeps the order of the matches in time; each waits for its stereo matches, but not for ever.

    Args:
        stereo: whether to wait at all.
        capacity: matches in time that may wait; the oldest beyond it goes on without.
    """

    def __init__(self, stereo: bool, capacity: int) -> None:
        self._stereo = stereo
        self._capacity = capacity
        self._waiting: deque[Waiting[Temporal]] = deque()
        self._across: dict[int, Stereo] = {}
        self._given: int | None = None
        self._reference: int | None = None  # of the latest matches in time

    def __len__(self) -> int:
        """Matches in time that wait."""
        return len(self._waiting)

    def restart(self) -> None:
        """What comes next need not follow what was used."""
        self._given = None

    def add_stereo(self, stamp: int, item: Stereo) -> None:
        """Stereo matches of the images at a stamp came."""
        self._across[stamp] = item
        if len(self._across) > _KEPT:
            # The first that came, but not those of a keyframe while matches are refused because a
            # camera is not known yet.
            del self._across[next(kept for kept in self._across if kept != self._reference)]

    def add(self, waiting: Waiting[Temporal]) -> None:
        """Matches in time came."""
        self._waiting.append(waiting)
        self._reference = waiting.reference_stamp

    def stereo_of(self, stamp: int) -> Stereo | None:
        """The stereo matches of a stamp, if they have come."""
        return self._across.get(stamp)

    def next(self, now: float, patience_s: float) -> Waiting[Temporal] | None:
        """The oldest matches in time, once theirs are complete or have waited long enough.

        Args:
            now: on the clock of ``received``.
            patience_s: longest time to wait.
        """
        if not self._waiting:
            return None
        first = self._waiting[0]
        late = now - first.received >= patience_s or len(self._waiting) > self._capacity
        if self._stereo and not late and not self._complete(first):
            return None
        return self._waiting.popleft()

    def done(self, used: Waiting[Temporal]) -> None:
        """These matches were used: older stereo matches are let go, but not the reference's.

        A reference stays for many images, and a restart begins with it.
        """
        self._given = used.stamp
        self._across = {
            stamp: item
            for stamp, item in self._across.items()
            if stamp >= used.stamp or stamp == used.reference_stamp
        }

    def _complete(self, waiting: Waiting[Temporal]) -> bool:
        used = self._given is not None and waiting.reference_stamp <= self._given
        return waiting.stamp in self._across and (used or waiting.reference_stamp in self._across)
