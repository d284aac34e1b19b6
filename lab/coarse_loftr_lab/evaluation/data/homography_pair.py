"""Two images of a plane, or from one place, and the homography between them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HomographyPair", "resize"]


@dataclass(frozen=True, eq=False)
class HomographyPair:
    """Two images with the true homography.

    Attributes:
        name: says which pair it is, in reports.
        reference: grey, uint8 [H, W].
        current: grey, uint8 [H', W'].
        homography: float64 [3, 3], reference pixels to current pixels; pixel centres at integers.
    """

    name: str
    reference: NDArray[np.uint8]
    current: NDArray[np.uint8]
    homography: NDArray[np.float64]


def resize(image: NDArray[np.uint8], scale: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Resize an image, keeping its proportions as far as whole pixels allow.

    Args:
        image: grey, uint8 [H, W].
        scale: new length of a side over its old one.

    Returns:
        The resized image, and the map from pixels of the given image to pixels of the resized
        one, float64 [3, 3]: pixel centres are at integers in both.
    """
    height, width = image.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    x, y = size[0] / width, size[1] / height
    to_resized = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
    return cv2.resize(image, size, interpolation=method), to_resized
