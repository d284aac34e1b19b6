"""The images of a source, one per moment, or left and right together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.pairing import StereoPairing
from coarse_loftr_ros.recordings.source import SourceImage
from coarse_loftr_ros.rectification import Rectification

__all__ = ["Moment", "Moments", "rectified"]


@dataclass(frozen=True, eq=False)
class Moment:
    """What the camera saw at one time.

    Attributes:
        left: the image, or that of the left eye.
        right: of the right eye; ``None`` with one camera.
    """

    left: Frame
    right: Frame | None = None


class Moments:
    """Yields the time of recording (ns) and the frames of each moment.

    Args:
        images: in order of time.
        tolerance_ns: of a stereo pair's stamps; ``None`` with one camera.

    Attributes:
        images: images taken so far.

    Raises:
        ValueError: when the tolerance is negative.
    """

    def __init__(self, images: Iterable[SourceImage], tolerance_ns: int | None) -> None:
        self._source = images
        self._pairing = None if tolerance_ns is None else StereoPairing(tolerance_ns)
        self.images = 0

    @property
    def unpaired(self) -> int:
        """Images without a partner so far."""
        pairing = self._pairing
        return pairing.unpaired_left + pairing.unpaired_right if pairing else 0

    def __iter__(self) -> Iterator[tuple[int, Moment]]:
        pairing = self._pairing
        for image in self._source:
            self.images += 1
            if pairing is None:
                yield image.recorded, Moment(image.frame)
                continue
            pair = (pairing.add_right if image.stream else pairing.add_left)(image.frame)
            if pair is not None:
                yield image.recorded, Moment(*pair)


def rectified(
    images: Iterable[SourceImage], rectifications: Sequence[Rectification]
) -> Iterator[SourceImage]:
    """Raw images made undistorted and aligned by row.

    Args:
        images: of one or two streams.
        rectifications: of each stream.

    Raises:
        CalibrationError: when an image has not the calibrated size.
    """
    for each in images:
        through, frame = rectifications[each.stream], each.frame
        frame = replace(
            frame, image=through.image(frame.image), mask=through.image_mask(frame.mask)
        )
        yield replace(each, frame=frame)
