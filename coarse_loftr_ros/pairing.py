"""Which two frames are matched: the previous one, a keyframe, or the other eye."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from coarse_loftr_ros.result import Homography, Status

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


def stamp_gap_ns(left: Sequence[int], right: Sequence[int]) -> int | None:
    """How far apart in time two cameras take their images: the median of nearest differences.

    Stamps before or after everything that the other camera sent have no partner to be near to;
    they count only when there are no others.

    Args:
        left: stamps of one camera, ns, in any order.
        right: stamps of the other one, ns.

    Returns:
        Nanoseconds, or ``None`` when a side is empty.
    """
    if not left or not right:
        return None
    ours, theirs = np.asarray(left, np.int64), np.sort(np.asarray(right, np.int64))
    inside = ours[(ours >= theirs[0]) & (ours <= theirs[-1])]
    ours = inside if len(inside) else ours
    after = np.searchsorted(theirs, ours)
    neighbours = theirs.take((after - 1, after), mode="clip")
    return int(np.median(np.abs(neighbours - ours).min(axis=0)))


class StereoPairing(Generic[Item]):
    """Brings left and right frames together by stamp.

    Both streams must rise in time by themselves. The earliest pair within the tolerance wins;
    frames that have been passed by are counted as unpaired and let go, so memory stays bounded.

    Args:
        tolerance_ns: largest difference of the stamps of a pair, nanoseconds.
        queue: frames kept per side while the other side is late.
    """

    def __init__(self, tolerance_ns: int, queue: int = 4) -> None:
        if tolerance_ns < 0:
            raise ValueError(f"tolerance_ns is {tolerance_ns}; it must not be negative")
        if queue < 1:
            raise ValueError(f"queue is {queue}; it must be at least 1")
        self.tolerance_ns = tolerance_ns
        self.queue = queue
        self.unpaired_left = 0
        self.unpaired_right = 0
        self._left: deque[Item] = deque()
        self._right: deque[Item] = deque()

    def add_left(self, frame: Item) -> tuple[Item, Item] | None:
        """Take a left frame; the pair (left, right) that it completes, if any."""
        self._left.append(frame)
        return self._pair()

    def add_right(self, frame: Item) -> tuple[Item, Item] | None:
        """Take a right frame; the pair (left, right) that it completes, if any."""
        self._right.append(frame)
        return self._pair()

    def rest(self) -> Iterator[tuple[Item, Item]]:
        """The pairs that are left when no frame will come any more."""
        return iter(())

    def clear(self) -> None:
        """Forget waiting frames (time went back, a stream changed); counts stay."""
        self._left.clear()
        self._right.clear()

    def _pair(self) -> tuple[Item, Item] | None:
        while self._left and self._right:
            left, right = self._left[0], self._right[0]
            gap = right.stamp - left.stamp
            if abs(gap) <= self.tolerance_ns:
                # A neighbour in either queue may be closer still.
                if len(self._left) > 1 and abs(right.stamp - self._left[1].stamp) < abs(gap):
                    self._drop_left()
                elif len(self._right) > 1 and abs(self._right[1].stamp - left.stamp) < abs(gap):
                    self._drop_right()
                else:
                    return self._left.popleft(), self._right.popleft()
            elif gap > 0:
                self._drop_left()
            else:
                self._drop_right()
        while len(self._left) > self.queue:
            self._drop_left()
        while len(self._right) > self.queue:
            self._drop_right()
        return None

    def _drop_left(self) -> None:
        self._left.popleft()
        self.unpaired_left += 1

    def _drop_right(self) -> None:
        self._right.popleft()
        self.unpaired_right += 1
