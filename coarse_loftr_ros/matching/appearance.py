"""The current image as it would look in the reference: warped, and as bright."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.homography import image_outline, transfer

__all__ = ["equalise", "warp_to_reference"]


def warp_to_reference(
    current: NDArray[np.uint8], warp: NDArray[np.float64], reference: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The current image as the reference would show it, as bright as that."""
    height, width = reference.shape
    warped = cv2.warpPerspective(
        current,
        warp,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return equalise(
        reference, warped, _overlap(np.linalg.inv(warp), current.shape, reference.shape)
    )


def equalise(
    reference: NDArray[np.uint8],
    target: NDArray[np.uint8],
    overlap: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Give the target the reference's mean and contrast: Lucas-Kanade assumes equal brightness."""
    mean_r, deviation_r = (float(v[0, 0]) for v in cv2.meanStdDev(reference, mask=overlap))
    mean_t, deviation_t = (float(v[0, 0]) for v in cv2.meanStdDev(target, mask=overlap))
    gain = (deviation_r + 1.0) / (deviation_t + 1.0)
    levels = (np.arange(256) - mean_t) * gain + mean_r
    return cv2.LUT(target, np.clip(levels + 0.5, 0, 255).astype(np.uint8))


def _overlap(
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
