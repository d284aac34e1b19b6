"""The order that the stamps of images must have."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.source import ListedImage

__all__ = ["StampOrder", "in_stamp_order"]

_DATES_NS = 10**18  # 2001, in nanoseconds since 1970
_AHEAD = 4  # images that are looked at before one is passed on


class StampOrder:
    """Leaves out the images of one stream whose stamps do not rise.

    One wrong stamp costs its own image and no other: before an image is passed on, the stamps
    of the next ones are compared, so that one that is far too late does not make all that follow
    too early.
    """

    def __init__(self, report: InputReport) -> None:
        self._report = report
        self._waiting: deque[ListedImage] = deque()
        self._last: ListedImage | None = None

    def add(self, image: ListedImage) -> Iterator[ListedImage]:
        """Take the next image; those that are now known to be in order."""
        if image.stamp is None:
            self._report.reject("stamp", image.name, "has no time")
            return
        self._waiting.append(image)
        if len(self._waiting) > _AHEAD:
            yield from self._pass_first()

    def rest(self) -> Iterator[ListedImage]:
        """What is left when no image follows."""
        while self._waiting:
            yield from self._pass_first()

    def _pass_first(self) -> Iterator[ListedImage]:
        """The image that has waited longest, where its stamp is in order."""
        image, last = self._waiting.popleft(), self._last
        if last is not None and image.stamp <= last.stamp:
            self._report.reject(
                "stamp",
                image.name,
                f"its stamp {_seconds(image.stamp)} is not later than {_seconds(last.stamp)} of "
                f"{last.name}",
            )
            return
        if last is None and self._is_unset(image.stamp):
            self._report.reject("stamp", image.name, "its stamp is 0, and those after it are dates")
            return
        after = [other.stamp for other in self._waiting if last is None or other.stamp > last.stamp]
        earlier = sum(stamp < image.stamp for stamp in after)
        # To pass it on would cost those, and the one that has its stamp.
        lost = sum(stamp <= image.stamp for stamp in after)
        if earlier and (2 * earlier > len(after) or lost > 1):
            self._report.reject(
                "stamp",
                image.name,
                f"its stamp {_seconds(image.stamp)} is later than those of the images after it",
            )
            return
        self._last = image
        yield image

    def _is_unset(self, stamp: int) -> bool:
        """Whether a stamp was left 0 by a driver that sets the others by a clock of dates."""
        after = [other.stamp for other in self._waiting if other.stamp]
        return stamp == 0 and bool(after) and min(after) >= _DATES_NS


def in_stamp_order(images: Iterable[ListedImage], report: InputReport) -> Iterator[ListedImage]:
    """The images of one stream whose stamps rise; see ``StampOrder``."""
    order = StampOrder(report)
    for image in images:
        yield from order.add(image)
    yield from order.rest()


def _seconds(stamp: int) -> str:
    return f"{stamp // 10**9}.{stamp % 10**9 // 10**3:06d} s"
