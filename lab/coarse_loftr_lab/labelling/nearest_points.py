"""The nearest of some points for every pixel, and motions as a plane's and what is left."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.homography import fit_homography, transfer

__all__ = ["NearestPoints", "common_motion"]

_PLANE_PX = 3.0


class NearestPoints:
    """Which of some points is the nearest, by a map with a place for every pixel.

    Args:
        points: [N, 2] in px; those that share a pixel are one.
        size: (width, height) of the map, px.

    Attributes:
        index: int32 [H, W], number of the nearest point; of no meaning without points.
        distance: float32 [H, W], px to it; infinite without points.
    """

    def __init__(self, points: NDArray[np.floating], size: tuple[int, int]) -> None:
        width, height = size
        self.index = np.zeros((height, width), np.int32)
        self.distance = np.full((height, width), np.inf, np.float32)
        if len(points) == 0:
            return
        x, y = _pixels(points, size)
        holes = np.ones((height, width), np.uint8)
        holes[y, x] = 0
        distance, labels = cv2.distanceTransformWithLabels(
            holes, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        number = np.zeros(int(labels.max()) + 1, np.int32)
        number[labels[y, x]] = np.arange(len(points))
        self.index, self.distance = number[labels], distance

    def at(self, points: NDArray[np.floating]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Number of and distance to the nearest point of each of ``points`` [N, 2]."""
        x, y = _pixels(points, self.index.shape[::-1])
        return self.index[y, x], self.distance[y, x]


def common_motion(
    reference: NDArray[np.floating], current: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The homography [3, 3] that most matches [N, 2] agree with; else their median shift.

    What is left of each match beside it varies slowly, so that neighbours can be compared.
    """
    fit = fit_homography(np.float32(reference), np.float32(current), _PLANE_PX)
    if fit.matrix is not None and np.isfinite(transfer(fit.matrix, reference)).all():
        return fit.matrix
    matrix = np.eye(3)
    if len(reference):
        matrix[:2, 2] = np.median(np.subtract(current, reference), axis=0)
    return matrix


def _pixels(
    points: NDArray[np.floating], size: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    limit = np.array(size) - 1
    x, y = np.clip(np.rint(points), 0, limit).astype(np.int64).T
    return x, y
