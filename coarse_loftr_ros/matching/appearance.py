"""The current image as it would look in the reference: warped, and as bright."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.homography import image_outline, transfer

__all__ = ["GreyLevels", "mean_and_deviation", "warp_overlap", "warp_to_reference"]

# Under a mask statistics take several times as long, so they are those of this share of the rows.
_ROWS = 0.2
_GOLDEN = (math.sqrt(5) - 1) / 2


def warp_to_reference(
    current: NDArray[np.uint8], warp: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """The current image as the reference of (height, width) ``shape`` would show it."""
    return cv2.warpPerspective(
        current,
        warp,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def mean_and_deviation(
    image: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None
) -> tuple[float, float]:
    """Mean and standard deviation of an image uint8 [H, W], under a mask from some of its rows.

    Args:
        image: uint8 [H, W].
        mask: uint8 [H, W], non-zero where pixels count; ``None`` means everywhere.
    """
    if mask is not None:
        rows = _some_rows(len(image))
        image, mask = image[rows], mask[rows]
    mean, deviation = cv2.meanStdDev(image, mask=mask)
    return mean.item(), deviation.item()


@functools.cache
def _some_rows(height: int) -> NDArray[np.int64]:
    """Rows in no period: stripes (steps, blinds) are as often among them as in the image."""
    return np.flatnonzero(np.arange(height) * _GOLDEN % 1 < _ROWS)


@dataclass(frozen=True)
class GreyLevels:
    """A linear change of grey levels.

    Attributes:
        gain: factor of each level.
        offset: added to it then.
    """

    gain: float
    offset: float

    @classmethod
    def equalising(
        cls,
        reference: NDArray[np.uint8],
        target: NDArray[np.uint8],
        overlap: NDArray[np.uint8] | None = None,
    ) -> GreyLevels:
        """The change that gives the target the mean and contrast of the reference.

        Lucas-Kanade assumes equal brightness.

        Args:
            reference: uint8 [H, W].
            target: uint8 [H, W].
            overlap: uint8 [H, W], non-zero where both show the scene; ``None`` means everywhere.
        """
        mean_r, deviation_r = mean_and_deviation(reference, overlap)
        mean_t, deviation_t = mean_and_deviation(target, overlap)
        gain = (deviation_r + 1.0) / (deviation_t + 1.0)
        return cls(gain, mean_r - gain * mean_t)

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A changed copy of an image uint8 [H, W]."""
        return cv2.addWeighted(image, self.gain, image, 0.0, self.offset)


def warp_overlap(
    inverse: NDArray[np.float64], current: tuple[int, ...], reference: tuple[int, ...]
) -> NDArray[np.uint8] | None:
    """Where the warped current image shows the scene; ``None`` where it reaches too far out.

    Args:
        inverse: homography from current to reference pixels.
        current: (height, width) of the current image.
        reference: (height, width) of the reference image, and of the uint8 mask returned.
    """
    height, width = current
    moved = transfer(inverse, image_outline(width, height))
    if not (np.abs(moved) < 1e4).all():
        return None
    mask = np.zeros(reference, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(moved).astype(np.int32), 255)
    return mask
