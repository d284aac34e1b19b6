"""Images that are listed and not read yet, and the order that their stamps must have."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.recordings.input_report import InputReport

__all__ = ["Listed", "Rising", "rising"]

_DATES_NS = 10**18  # 2001, in nanoseconds since 1970
_AHEAD = 4  # images that are looked at before one is judged


@dataclass(frozen=True, eq=False)
class Listed:
    """An image of a recording before it is decoded.

    Attributes:
        stream: 0, or 1 for the right eye.
        number: of its moment in the recording, from 0, whatever is left out.
        name: for the user.
        stamp: nanoseconds; ``None`` when the recording gives none that is a time.
        recorded: when it was recorded, nanoseconds.
        read: gives its grey levels uint8 [H, W]; raises ``ImageError``.
        frame_id: name of the camera's coordinate frame.
        encoding: how the camera sent it.
    """

    stream: int
    number: int
    name: str
    stamp: int | None
    recorded: int
    read: Callable[[], NDArray[np.uint8]]
    frame_id: str = "camera"
    encoding: str = "mono8"


class Rising:
    """Leaves out the images of one stream whose stamps do not rise.

    One wrong stamp costs its own image and no other: before a stamp is believed, the next ones
    are looked at, so that one that is far too late does not make all that follow too early.
    """

    def __init__(self, report: InputReport) -> None:
        self._report = report
        self._waiting: deque[Listed] = deque()
        self._last: Listed | None = None

    def add(self, image: Listed) -> Iterator[Listed]:
        """Take the next image; those that are now known to be in order."""
        if image.stamp is None:
            self._report.reject("stamp", image.name, "has no time")
            return
        self._waiting.append(image)
        if len(self._waiting) > _AHEAD:
            yield from self._judge()

    def rest(self) -> Iterator[Listed]:
        """What is left when no image follows."""
        while self._waiting:
            yield from self._judge()

    def _judge(self) -> Iterator[Listed]:
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
        if 2 * sum(stamp < image.stamp for stamp in after) > len(after):
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


def rising(images: Iterable[Listed], report: InputReport) -> Iterator[Listed]:
    """The images of one stream whose stamps rise; see ``Rising``."""
    order = Rising(report)
    for image in images:
        yield from order.add(image)
    yield from order.rest()


def _seconds(stamp: int) -> str:
    return f"{stamp // 10**9}.{stamp % 10**9 // 10**3:06d} s"
