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
# Both topics come from one matcher: where time went back on one of them for so long already, the
# messages by which it would have shown on the other were lost.
_MOST_APART_S = 2.0


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


@dataclass(frozen=True)
class _Pass:
    """One run of time that only goes ahead; a recording that is played again begins another.

    Attributes:
        number: how often time had gone back before.
        latest: stamp of the newest message, ns; ``None`` before the first one.
    """

    number: int = 0
    latest: int | None = None

    def followed_by(self, stamp: int) -> _Pass:
        """The pass of the next message of the same topic."""
        back = self.latest is not None and stamp < self.latest
        return _Pass(self.number + back, stamp)


class Arrivals(Generic[Temporal, Stereo]):
    """Keeps the order of the matches in time; each waits for its stereo matches, but not for ever.

    Where time goes back (a recording that loops), stamps repeat: each topic counts how often it
    did, and matches in time get the stereo matches of their own pass alone.

    Args:
        stereo: whether to wait at all.
        capacity: matches in time that may wait; the oldest beyond it goes on without.
    """

    def __init__(self, stereo: bool, capacity: int) -> None:
        self._stereo = stereo
        self._capacity = capacity
        self._waiting: deque[tuple[int, Waiting[Temporal]]] = deque()  # with their passes
        self._stereo_matches: dict[tuple[int, int], Stereo] = {}  # by pass and stamp
        self._temporal_pass = self._stereo_pass = _Pass()
        self._apart_since: float | None = None  # when the passes of both began to differ
        self._using = 0  # pass of the matches in time that were given last
        self._given: int | None = None  # stamp of those used last, while they are of that pass
        self._reference: tuple[int, int] | None = None  # pass and stamp, of the latest ones

    def __len__(self) -> int:
        """Matches in time that wait."""
        return len(self._waiting)

    def restart(self) -> None:
        """What comes next need not follow what was used."""
        self._given = None

    def add_stereo(self, stamp: int, item: Stereo, received: float) -> None:
        """Stereo matches of the images at a stamp came.

        Args:
            stamp: of the images, ns.
            item: the matches.
            received: when they came, on the clock of ``Waiting.received``.
        """
        self._stereo_pass = self._stereo_pass.followed_by(stamp)
        self._keep_together(received)
        key = self._stereo_pass.number, stamp
        self._stereo_matches.pop(key, None)
        self._stereo_matches[key] = item
        if len(self._stereo_matches) > _KEPT:
            # The first that came, but not those of a keyframe while matches are refused because a
            # camera is not known yet.
            del self._stereo_matches[
                next(kept for kept in self._stereo_matches if kept != self._reference)
            ]

    def add(self, waiting: Waiting[Temporal]) -> None:
        """Matches in time came."""
        first = self._temporal_pass.latest is None
        self._temporal_pass = self._temporal_pass.followed_by(waiting.stamp)
        if first:
            # How often time went back before is not known: it is the pass that has its reference.
            known = (key[0] for key in self._stereo_matches if key[1] == waiting.reference_stamp)
            self._temporal_pass = _Pass(min(known, default=self._stereo_pass.number), waiting.stamp)
        self._keep_together(waiting.received)
        number = self._temporal_pass.number
        self._waiting.append((number, waiting))
        self._reference = number, waiting.reference_stamp

    def stereo_of(self, stamp: int) -> Stereo | None:
        """The stereo matches of a stamp, if they have come, in the pass of what was given last."""
        return self._stereo_matches.get((self._using, stamp))

    def next(self, now: float, patience_s: float) -> Waiting[Temporal] | None:
        """The oldest matches in time, once theirs are complete or have waited long enough.

        Args:
            now: on the clock of ``received``.
            patience_s: longest time to wait.
        """
        if not self._waiting:
            return None
        number, first = self._waiting[0]
        late = now - first.received >= patience_s or len(self._waiting) > self._capacity
        if self._stereo and not late and not self._complete(number, first):
            return None
        if number != self._using:
            self._using, self._given = number, None
        return self._waiting.popleft()[1]

    def done(self, used: Waiting[Temporal]) -> None:
        """These matches were used: older stereo matches are let go, but not the reference's.

        A reference stays for many images, and a restart begins with it.
        """
        self._given = used.stamp
        reference = self._using, used.reference_stamp
        self._stereo_matches = {
            key: item
            for key, item in self._stereo_matches.items()
            if key >= (self._using, used.stamp) or key == reference
        }

    def _complete(self, number: int, waiting: Waiting[Temporal]) -> bool:
        used = (
            number == self._using
            and self._given is not None
            and waiting.reference_stamp <= self._given
        )
        known = self._stereo_matches
        return (number, waiting.stamp) in known and (
            used or (number, waiting.reference_stamp) in known
        )

    def _keep_together(self, now: float) -> None:
        """Passes of both topics are the same ones; where one was not noticed, both go on alike."""
        if self._temporal_pass.number == self._stereo_pass.number:
            self._apart_since = None
        elif self._apart_since is None:
            self._apart_since = now
        elif now - self._apart_since > _MOST_APART_S:
            latest = max(self._temporal_pass.number, self._stereo_pass.number)
            self._temporal_pass = _Pass(latest, self._temporal_pass.latest)
            self._stereo_pass = _Pass(latest, self._stereo_pass.latest)
            self._apart_since = None
