"""Which left and right images of a stereo camera belong together: the nearest in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

import numpy as np

__all__ = ["StereoPairing", "stamp_gap_ns"]


class Stamped(Protocol):
    """Anything with a time: a frame, or a message that is not decoded yet."""

    @property
    def stamp(self) -> int:
        """Capture time, integer nanoseconds."""
        ...


Item = TypeVar("Item", bound=Stamped)

# Stamps kept of each camera, so that those of a late one find their neighbours, and the last of
# them, from which the gap of both and their frame periods are measured.
_RECENT = 64
_LATEST = 16


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
    stamps, others = np.asarray(left, np.int64), np.sort(np.asarray(right, np.int64))
    inside = stamps[(stamps >= others[0]) & (stamps <= others[-1])]
    stamps = inside if len(inside) else stamps
    stamps = stamps if latest is None else stamps[-latest:]
    after = np.searchsorted(others, stamps)
    neighbours = others.take((after - 1, after), mode="clip")
    return int(np.median(np.abs(neighbours - stamps).min(axis=0)))


class _Queue(Generic[Item]):
    """One camera's images that wait for a partner, in the order in which they came."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[int, Item]] = deque()  # each with the loop in which it came
        self.stamps: deque[int] = deque(maxlen=_RECENT)
        self.loop = 0  # how often its time went back
        self.unpaired = 0

    def add(self, item: Item) -> None:
        if self.stamps and item.stamp < self.stamps[-1]:
            self.loop += 1
        self.stamps.append(item.stamp)
        self.waiting.append((self.loop, item))

    def stamp(self, index: int) -> int:
        """Of the image that waits at an index."""
        return self.waiting[index][1].stamp

    def drop(self, number: int) -> None:
        """Give up the first images, unpaired."""
        self.unpaired += number
        for _ in range(number):
            self.waiting.popleft()

    def shift(self, loops: int) -> None:
        """Renumber its loops."""
        self.loop += loops
        self.waiting = deque((loop + loops, item) for loop, item in self.waiting)

    def head_is_stale(self, other: _Queue[Item], tolerance_ns: int) -> bool:
        """Whether the first image finds no partner any more: the other camera is past its time."""
        if not self.waiting or not other.stamps:
            return False
        loop, item = self.waiting[0]
        # While one camera's time has gone back and the other's has not yet, neither is past.
        return loop == other.loop and item.stamp + tolerance_ns < other.stamps[-1]


class StereoPairing(Generic[Item]):
    """Pairs left and right frames by stamp: each with the nearest of the other camera.

    The stamps of a side rise; where they go back (a bag that loops), that side begins another
    loop, and frames that wait stay for partners of either. A frame that the other side has passed
    by is counted as unpaired and dropped. A pair is given as soon as no nearer partner can be
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
        self._left: _Queue[Item] = _Queue()
        self._right: _Queue[Item] = _Queue()
        self._open = False  # whether frames that came before the latest may be a pair

    @property
    def unpaired_left(self) -> int:
        """Left frames dropped without a partner."""
        return self._left.unpaired

    @property
    def unpaired_right(self) -> int:
        """Right frames dropped without a partner."""
        return self._right.unpaired

    @property
    def waiting(self) -> tuple[int, int]:
        """Left and right frames that wait for a partner."""
        return len(self._left.waiting), len(self._right.waiting)

    @property
    def gap_ns(self) -> int | None:
        """How far apart the latest stamps of both sides are; see ``stamp_gap_ns``."""
        return stamp_gap_ns(self._left.stamps, self._right.stamps, _LATEST)

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

    def _add(self, side: _Queue[Item], frame: Item) -> tuple[Item, Item] | None:
        side.add(frame)
        found = self._nearest(None if self._open else side)
        self._open = found is not None
        pair = None
        if found is None:
            for queue, other in ((self._left, self._right), (self._right, self._left)):
                while queue.head_is_stale(other, self.tolerance_ns):
                    queue.drop(1)
        elif not self._nearer_may_come(*found):
            pair = self._take(*found)
        if len(side.waiting) > self.queue:
            side.drop(1)
            self._align(self._left.loop, self._right.loop)
        return pair

    def _nearest(self, latest: _Queue[Item] | None = None) -> tuple[int, int] | None:
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
                for before, after in pairwise(list(side.stamps)[-_LATEST:])
                if after > before
            ),
            default=2 * abs(gap),
        )

    def _take(self, i: int, j: int) -> tuple[Item, Item]:
        self._left.drop(i)
        self._right.drop(j)
        left_loop, left = self._left.waiting.popleft()
        right_loop, right = self._right.waiting.popleft()
        self._align(left_loop, right_loop)
        return left, right

    def _align(self, left_loop: int, right_loop: int) -> None:
        """These loops of both sides are the same one: one side's time went back by itself."""
        if left_loop != right_loop:
            self._right.shift(left_loop - right_loop)
