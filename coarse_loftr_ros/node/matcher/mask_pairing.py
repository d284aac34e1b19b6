"""Which mask belongs to which image: the one with its stamp."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

__all__ = ["MaskPairing"]

Item = TypeVar("Item")
Mask = TypeVar("Mask")

# Images remembered after they went on, so that a mask that comes late is told from a stray one.
_RECENT = 64


@dataclass(frozen=True)
class _Waiting(Generic[Item]):
    """An image until its mask comes."""

    item: Item
    stamp: int
    came_s: float
    due_s: float


class MaskPairing(Generic[Item, Mask]):
    """Gives each image the mask with its stamp, and the images on in the order in which they came.

    An image waits until its mask comes, or that of a later image (masks come in order, so its own
    is not to be expected any more), but at most ``wait_s``. A mask without a stamp (0) is of every
    image that gets none of its own; as long as there are only such masks nothing waits.

    Times are of one steady clock, seconds.

    Args:
        wait_s: longest time that an image waits for its mask.
        silence_s: when images have come for so long and no mask, they do not wait until one comes.
        capacity: images that may wait, and masks that may be there before their images.
    """

    def __init__(self, wait_s: float, silence_s: float, capacity: int) -> None:
        self.wait_s = wait_s
        self.silence_s = silence_s
        self.missing = 0
        """Images that went on without a mask of their own, though there should be one."""
        self.late = 0
        """Masks that came when their image had gone on."""
        self.stray = 0
        """Masks with the stamp of no image."""
        self._capacity = capacity
        self._waiting: deque[_Waiting[Item]] = deque()
        self._early: OrderedDict[int, Mask] = OrderedDict()
        self._gone: OrderedDict[int, float | None] = OrderedDict()  # when those without one came
        self._delays: deque[float] = deque(maxlen=_RECENT)
        self._static: Mask | None = None
        self._stamped = False  # whether a mask with a stamp has come
        self._unmasked_s: float | None = None  # when the first image after the last mask came

    @property
    def waiting(self) -> int:
        """Images that wait for their mask."""
        return len(self._waiting)

    @property
    def delay_s(self) -> float | None:
        """How long after their images late masks came: the median of the latest ones."""
        return median(self._delays) if self._delays else None

    def silence(self, now_s: float) -> float:
        """For how long images have come and no mask, s; 0 where one without a stamp is enough."""
        if self._unmasked_s is None or not self._expected:
            return 0.0
        return now_s - self._unmasked_s

    def add(self, item: Item, stamp: int, now_s: float) -> list[tuple[Item, Mask | None]]:
        """Take an image; those that go on now, each with its mask."""
        if self._unmasked_s is None:
            self._unmasked_s = now_s
        patient = self._expected and self.silence(now_s) <= self.silence_s
        due_s = now_s + self.wait_s if patient else now_s
        self._waiting.append(_Waiting(item, stamp, now_s, due_s))
        if stamp in self._early:
            return self._release(len(self._waiting), self._early.pop(stamp))
        return self.due(now_s)

    def add_mask(self, mask: Mask, stamp: int, now_s: float) -> list[tuple[Item, Mask | None]]:
        """Take a mask; the images that go on now, each with its mask."""
        if stamp == 0:
            self._static = mask
            return self.due(now_s) if self._stamped else self._release(len(self._waiting))
        self._stamped, self._unmasked_s = True, None
        for index, each in enumerate(self._waiting):
            if each.stamp == stamp:
                return self._release(index + 1, mask)
        if stamp not in self._gone:
            self._early[stamp] = mask
            if len(self._early) > self._capacity:
                self._early.popitem(last=False)
                self.stray += 1
        elif (came_s := self._gone[stamp]) is not None:
            self._gone[stamp] = None  # a latched mask may come twice
            self.late += 1
            self._delays.append(now_s - came_s)
        return self.due(now_s)

    def due(self, now_s: float) -> list[tuple[Item, Mask | None]]:
        """The images that have waited long enough, or are too many to wait."""
        number = max(0, len(self._waiting) - self._capacity)
        while number < len(self._waiting) and self._waiting[number].due_s <= now_s:
            number += 1
        return self._release(number)

    @property
    def _expected(self) -> bool:
        """Whether an image should have a mask of its own."""
        return self._stamped or self._static is None

    def _release(self, number: int, mask: Mask | None = None) -> list[tuple[Item, Mask | None]]:
        """Let the first images go on; the mask is of the last of them."""
        released: list[tuple[Item, Mask | None]] = []
        for left in range(number, 0, -1):
            image = self._waiting.popleft()
            own = mask if left == 1 else None
            if own is None and self._expected:
                self.missing += 1
            self._gone.pop(image.stamp, None)
            self._gone[image.stamp] = image.came_s if own is None else None
            if len(self._gone) > _RECENT:
                self._gone.popitem(last=False)
            released.append((image.item, self._static if own is None else own))
        return released
