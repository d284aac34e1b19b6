"""Images of a recording with masks that leave out what moves, as the mask node makes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from coarse_loftr_ros.detection.masks import DetectorMasks
from coarse_loftr_ros.recordings.source import SourceImage

__all__ = ["masked"]


def masked(images: Iterable[SourceImage], masks: DetectorMasks) -> Iterator[SourceImage]:
    """The images, those of the first stream (the only, or the left one) with a mask.

    Args:
        images: as the camera took them.
        masks: makes them.

    Raises:
        DetectorError: when the detector fails.
    """
    for image in images:
        if image.stream == 0:
            frame = image.frame
            mask = masks.mask(frame.image)
            if frame.mask is not None:
                mask &= frame.mask
            image = replace(image, frame=replace(frame, mask=mask))
        yield image
