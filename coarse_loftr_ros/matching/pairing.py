"""Which two frames are matched: the previous one, a keyframe, or the other eye."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

import numpy as np

from coarse_loftr_ros.matching.result import Homography, Status

__all__ = [
    "Consecutive",
    "Keyframe",
    "KeyframeRule",
    "ReferencePolicy",
    "StereoPairing",
    "stamp_gap_ns",
]


class ReferencePolicy(Protocol):
    """Decides after each match whether the current frame becomes the reference."""

    def replace(self, homography: Homography, age: int) -> str:
        """Why the current frame becomes the reference; empty when the reference stays.

        Args:
            homography: of the reference and the current frame.
            age: frames since the reference was taken, the current one included.
        """
        ...


class Consecutive:
    """Each frame is matched with the one before it."""

    def replace(self, homography: Homography, age: int) -> str:
        """See ``ReferencePolicy.replace``."""
        return "consecutive"


@dataclass(frozen=True)
class KeyframeRule:
    """When a keyframe has served its time.

    Attributes:
        min_inliers: inliers in fewer cells replace the keyframe.
        min_coverage: inliers on a smaller share of the keyframe replace it.
        max_age: frames after which it is replaced in any case; 0 means never.
        lost_patience: LOST frames in a row before the keyframe is given up; until then a passing
            disturbance (a hand before the lens) does not cost the tracks.
    """

    min_inliers: int = 80
    min_coverage: float = 0.35
    max_age: int = 60
    lost_patience: int = 3

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_coverage <= 1.0:
            raise ValueError(f"min_coverage is {self.min_coverage}; it must be in [0, 1]")
        for name in ("min_inliers", "max_age"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        if self.lost_patience < 1:
            raise ValueError(f"lost_patience is {self.lost_patience}; it must be at least 1")


class Keyframe:
    """The reference stays until the rule says that it has served its time.

    Args:
        rule: when.
    """

    def __init__(self, rule: KeyframeRule | None = None) -> None:
        self.rule = rule or KeyframeRule()
        self._lost_in_a_row = 0

    def replace(self, homography: Homography, age: int) -> str:
        """See ``ReferencePolicy.replace``."""
        rule = self.rule
        if homography.status == Status.LOST:
            self._lost_in_a_row += 1
            if self._lost_in_a_row < rule.lost_patience:
                return ""
            self._lost_in_a_row = 0
            return f"lost for {rule.lost_patience} frames"
        self._lost_in_a_row = 0
        if homography.support < rule.min_inliers:
            return f"inliers in {homography.support} cells, fewer than {rule.min_inliers}"
        if homography.coverage < rule.min_coverage:
            return f"coverage {homography.coverage:.2f} below {rule.min_coverage:.2f}"
        if rule.max_age and age >= rule.max_age:
            return f"age {age} frames"
        return ""


class Stamped(Protocol):
    """Anything with a time: a frame, or a message that is not decoded yet."""

    @property
    def stamp(self) -> int:
        """Capture time, integer nanoseconds."""
        ...


Item = TypeVar("Item", bound=Stamped)

# Stamps remembered of each side, so that those of a late one find their neighbours, and the last
# of them, from which the gap of both and their rhythm are measured.
_RECENT = 64
_RHYTHM = 16


def stamp_gap_ns(
    left: Sequence[int], right: Sequence[int], latest: int | None = None
) -> int | None:
    """How far apart in time two cameras take their images: the median of nearest differences.

    Stamps before or after everything that the other camera sent have no partner to be near to;
    they count only when there are no others.

    Args:
        left: stamps of one camera, ns, in any order.
        right: stamps of the other one, ns.
        latest: of the left ones that have neighbours, so many from the end count; ``None`` is all.

    Returns:
        Nanoseconds, or ``None`` when a side is empty.
    """
    if not left or not right:
        return None
    ours, theirs = np.asarray(left, np.int64), np.sort(np.asarray(right, np.int64))
    inside = ours[(ours >= theirs[0]) & (ours <= theirs[-1])]
    ours = inside if len(inside) else ours
    ours = ours if latest is None else ours[-latest:]
    after = np.searchsorted(theirs, ours)
    neighbours = theirs.take((after - 1, after), mode="clip")
    return int(np.median(np.abs(neighbours - ours).min(axis=0)))


class _Side(Generic[Item]):
    """One camera's images that wait for a partner, in the order in which they came."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[int, Item]] = deque()  # each with the turn in which it came
        self.stamps: deque[int] = deque(maxlen=_RECENT)
        self.turn = 0  # how often its time went back
        self.unpaired = 0

    def add(self, item: Item) -> None:
        if self.stamps and item.stamp < self.stamps[-1]:
            self.turn += 1
        self.stamps.append(item.stamp)
        self.waiting.append((self.turn, item))

    def stamp(self, index: int) -> int:
        """Of the image that waits at an index."""
        return self.waiting[index][1].stamp

    def let_go(self, number: int) -> None:
        """The first images find no partner any more."""
        self.unpaired += number
        for _ in range(number):
            self.waiting.popleft()

    def shift(self, turns: int) -> None:
        """Count its turns from elsewhere."""
        self.turn += turns
        self.waiting = deque((turn + turns, item) for turn, item in self.waiting)

    def passed_by(self, other: _Side[Item], tolerance_ns: int) -> bool:
        """Whether the first image waits in vain: the other camera's time has gone past it."""
        if not self.waiting or not other.stamps:
            return False
        turn, item = self.waiting[0]
        # While one camera's time has gone back and the other's has not yet, neither is past.
        return turn == other.turn and item.stamp + tolerance_ns < other.stamps[-1]


class StereoPairing(Generic[Item]):
    """Brings left and right frames together by stamp: each with the nearest of the other side.

    The stamps of a side rise; where they go back (a bag that loops), that side begins another
    turn, and frames that wait stay for partners of either. A frame that the other side has passed
    by is counted as unpaired and let go. A pair is given as soon as no nearer partner can be
    expected: at once, unless its stamps differ by more than half of the least time between two
    frames of a side, which may mean that the true partner is late.

    Args:
        tolerance_ns: largest difference of the stamps of a pair, nanoseconds.
        queue: frames kept per side while the other side is late.

    Raises:
        ValueError: when the tolerance is negative or nothing may wait.
    """

    def __init__(self, tolerance_ns: int, queue: int = 32) -> None:
        if tolerance_ns < 0:
            raise ValueError(f"tolerance_ns is {tolerance_ns}; it must not be negative")
        if queue < 1:
            raise ValueError(f"queue is {queue}; it must be at least 1")
        self.tolerance_ns = tolerance_ns
        self.queue = queue
        self._left: _Side[Item] = _Side()
        self._right: _Side[Item] = _Side()
        self._open = False  # whether frames that came before the latest may be a pair

    @property
    def unpaired_left(self) -> int:
        """Left frames let go without a partner."""
        return self._left.unpaired

    @property
    def unpaired_right(self) -> int:
        """Right frames let go without a partner."""
        return self._right.unpaired

    @property
    def waiting(self) -> tuple[int, int]:
        """Left and right frames that wait for a partner."""
        return len(self._left.waiting), len(self._right.waiting)

    @property
    def gap_ns(self) -> int | None:
        """How far apart the latest stamps of both sides are; see ``stamp_gap_ns``."""
        return stamp_gap_ns(self._left.stamps, self._right.stamps, _RHYTHM)

    def add_left(self, frame: Item) -> tuple[Item, Item] | None:
        """Take a left frame; the next pair (left, right), if there is one now."""
        return self._add(self._left, frame)

    def add_right(self, frame: Item) -> tuple[Item, Item] | None:
        """Take a right frame; the next pair (left, right), if there is one now."""
        return self._add(self._right, frame)

    def rest(self) -> Iterator[tuple[Item, Item]]:
        """The pairs that are left when no frame will come any more."""
        while (found := self._nearest()) is not None:
            yield self._take(*found)

    def _add(self, side: _Side[Item], frame: Item) -> tuple[Item, Item] | None:
        side.add(frame)
        found = self._nearest(None if self._open else side)
        self._open = found is not None
        pair = None
        if found is None:
            for ours, theirs in ((self._left, self._right), (self._right, self._left)):
                while ours.passed_by(theirs, self.tolerance_ns):
                    ours.let_go(1)
        elif not self._nearer_may_come(*found):
            pair = self._take(*found)
        if len(side.waiting) > self.queue:
            side.let_go(1)
            self._align(self._left.turn, self._right.turn)
        return pair

    def _nearest(self, latest: _Side[Item] | None = None) -> tuple[int, int] | None:
        """Where the first two frames wait that are each the other's nearest.

        Args:
            latest: the side whose last frame alone may have a partner; ``None`` looks at all.
        """
        left, right = self._left, self._right
        from_left = len(left.waiting) - 1 if latest is left else 0
        from_right = len(right.waiting) - 1 if latest is right else 0
        within = (
            (i, j)
            for i in range(from_left, len(left.waiting))
            for j in range(from_right, len(right.waiting))
            if abs(left.stamp(i) - right.stamp(j)) <= self.tolerance_ns
        )
        found = next(within, None)
        if found is None:
            return None
        i, j = found
        while True:
            gap = abs(left.stamp(i) - right.stamp(j))
            if i + 1 < len(left.waiting) and abs(left.stamp(i + 1) - right.stamp(j)) <= gap:
                i += 1
            elif j + 1 < len(right.waiting) and abs(right.stamp(j + 1) - left.stamp(i)) <= gap:
                j += 1
            else:
                return i, j

    def _nearer_may_come(self, i: int, j: int) -> bool:
        """Whether the earlier one's camera may yet send what is nearer to the later one."""
        gap = self._right.stamp(j) - self._left.stamp(i)
        earlier, index = (self._left, i) if gap > 0 else (self._right, j)
        if gap == 0 or index + 1 < len(earlier.waiting):
            return False
        return 2 * abs(gap) > min(
            (
                after - before
                for side in (self._left, self._right)
                for before, after in pairwise(list(side.stamps)[-_RHYTHM:])
                if after > before
            ),
            default=2 * abs(gap),
        )

    def _take(self, i: int, j: int) -> tuple[Item, Item]:
        self._left.let_go(i)
        self._right.let_go(j)
        left_turn, left = self._left.waiting.popleft()
        right_turn, right = self._right.waiting.popleft()
        self._align(left_turn, right_turn)
        return left, right

    def _align(self, left_turn: int, right_turn: int) -> None:
        """These turns of both sides are the same one: one side's time went back by itself."""
        if left_turn != right_turn:
            self._right.shift(left_turn - right_turn)
