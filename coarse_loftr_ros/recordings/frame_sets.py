"""The images of a source in sets: one image, or left and right of one time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.matching.stereo_pairing import StereoPairing, stamp_gap_ns
from coarse_loftr_ros.recordings.errors import UnpairedError
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.source import SourceImage

__all__ = ["UNPAIRED", "FrameSet", "FrameSets"]

UNPAIRED = "without a partner"
"""The cause under which images are counted that have no image of the other camera at their time."""

_NS_PER_MS = 1e6


@dataclass(frozen=True, eq=False)
class FrameSet:
    """The images of one time.

    Attributes:
        left: the image, or that of the left camera.
        right: of the right camera; ``None`` with one camera.
    """

    left: Frame
    right: Frame | None = None

    def seen_by(self, left: Intrinsics | None, right: Intrinsics | None = None) -> FrameSet:
        """The same images, with the intrinsics of their cameras."""
        other = None if self.right is None else replace(self.right, intrinsics=right)
        return FrameSet(replace(self.left, intrinsics=left), other)


class FrameSets:
    """Yields the time of recording (ns) and the frames of each set.

    Args:
        images: of each stream in order of time.
        tolerance_ns: of a stereo pair's stamps; ``None`` with one camera.
        report: gets the images without a partner, when all have been read.

    Attributes:
        images: images taken so far.
        pairs: sets given so far.
        numbers: of the sets in the recording, by their stamps.

    Raises:
        ValueError: when the tolerance is negative.
    """

    def __init__(
        self, images: Iterable[SourceImage], tolerance_ns: int | None, report: InputReport
    ) -> None:
        self._source = images
        self._report = report
        self._tolerance_ns = tolerance_ns
        self._pairing = None if tolerance_ns is None else StereoPairing(tolerance_ns)
        self._unpaired: list[dict[int, str]] = [{}, {}]  # names by stamp
        self._stamps: list[list[int]] = [[], []]
        self.images = 0
        self.pairs = 0
        self.numbers: dict[int, int] = {}

    @property
    def tolerance_ms(self) -> float:
        """Largest difference of the stamps of a pair; 0 with one camera."""
        return (self._tolerance_ns or 0) / _NS_PER_MS

    @property
    def gap_ms(self) -> float | None:
        """How far apart in time the two cameras take their images; ``None`` with one of them."""
        gap = stamp_gap_ns(*self._stamps)
        return None if gap is None else gap / _NS_PER_MS

    def __iter__(self) -> Iterator[tuple[int, FrameSet]]:
        """See the class.

        Raises:
            UnpairedError: when there are images of both cameras, and not one pair.
            RecordingError: when the report is strict and an image has no partner.
        """
        if self._pairing is None:
            for image in self._source:
                self.images += 1
                self.pairs += 1
                self.numbers[image.stamp] = image.number
                yield image.recorded, FrameSet(image.frame)
            return
        recorded = 0
        for image in self._source:
            self.images += 1
            self._unpaired[image.stream][image.stamp] = image.name
            self._stamps[image.stream].append(image.stamp)
            recorded = image.recorded
            pair = (self._pairing.add_right if image.stream else self._pairing.add_left)(image)
            if pair is not None:
                yield recorded, self._frame_set(*pair)
        for pair in self._pairing.rest():
            yield recorded, self._frame_set(*pair)
        self._reject_unpaired()

    def _frame_set(self, left: SourceImage, right: SourceImage) -> FrameSet:
        self.pairs += 1
        self.numbers[left.stamp] = left.number
        del self._unpaired[0][left.stamp], self._unpaired[1][right.stamp]
        return FrameSet(left.frame, right.frame)

    def _reject_unpaired(self) -> None:
        if self.pairs == 0 and all(self._stamps):
            raise UnpairedError(
                "not one image of the left eye has one of the right eye within the tolerance of "
                f"{self.tolerance_ms:g} ms: they are {self.gap_ms:g} ms apart"
            )
        for stream, names in enumerate(self._unpaired):
            for name in names.values():
                other = "left" if stream else "right"
                self._report.reject(UNPAIRED, name, f"the {other} eye has no image of that time")
