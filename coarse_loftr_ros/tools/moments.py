"""The images of a source, one per moment, or left and right together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from coarse_loftr_ros.evaluation.matcher_streams import Moment
from coarse_loftr_ros.pairing import StereoPairing
from coarse_loftr_ros.rectification import Rectification
from coarse_loftr_ros.tools.sources import Source, SourceImage

__all__ = ["Moments", "progress", "rectified"]


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


def progress(source: Source, what: str) -> Any:
    """The source's images behind a progress bar, which only a terminal shows."""
    from tqdm import tqdm

    return tqdm(source.images(), total=source.count, unit="img", desc=what, disable=None)


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
