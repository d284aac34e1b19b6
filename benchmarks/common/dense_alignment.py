"""Homographies between images of a video of a plane, from all of their grey levels.

Images are aligned as wholes (ECC: Evangelidis and Psarakis, PAMI 2008): each with the next from
where SIFT puts it, and images farther apart from where the chain of those between puts them. That
is independent of any network, and of a network's points.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.estimators import estimate_homography
from coarse_loftr_ros.features.sift import Sift
from coarse_loftr_ros.matching.homography import transfer

__all__ = ["DenseAlignment", "common_ground", "ground_error"]

_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-6)
_SMOOTHING = 3  # px, of the images before they are aligned


class DenseAlignment:
    """Homographies between the images of a video, float64 [3, 3] with ``[2, 2] == 1``.

    Args:
        images: grey, uint8 [H, W] of one size, in order; neighbours overlap.
    """

    def __init__(self, images: Sequence[NDArray[np.uint8]]) -> None:
        self._images = images

    def chained(self, reference: int, current: int) -> NDArray[np.float64]:
        """Reference pixels to pixels of a later image, by all images between them.

        Raises:
            ValueError: when neighbours cannot be aligned.
        """
        matrix = np.eye(3)
        for step in self._steps[reference:current]:
            matrix = step @ matrix
        return matrix / matrix[2, 2]

    def aligned(
        self, reference: int, current: int, start: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Reference pixels to pixels of any other image, by these two images alone.

        Args:
            reference: number of an image.
            current: number of an image.
            start: [3, 3], from which they are aligned.

        Raises:
            ValueError: when they cannot be aligned.
        """
        images = self._images[reference], self._images[current]
        first = start.astype(np.float32)
        try:
            _, matrix = cv2.findTransformECC(
                *images, first, cv2.MOTION_HOMOGRAPHY, _STOP, None, _SMOOTHING
            )
        except cv2.error as error:
            raise ValueError(
                f"images {reference} and {current} cannot be aligned; they must show one plane"
            ) from error
        return matrix.astype(np.float64) / matrix[2, 2]

    @cached_property
    def _steps(self) -> list[NDArray[np.float64]]:
        """From each image to the next."""
        sift = Sift()
        described = [sift.describe(image) for image in self._images]
        return [
            self.aligned(
                number, number + 1, estimate_homography(sift.match(*described[number:][:2])).matrix
            )
            for number in range(len(described) - 1)
        ]


def common_ground(matrix: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Points [N, 2] of a 16x12 grid over the reference that the current image shows as well."""
    x, y = np.linspace(0, width - 1, 16), np.linspace(0, height - 1, 12)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    moved = transfer(matrix, points)
    return points[((moved >= 0) & (moved <= (width - 1, height - 1))).all(axis=1)]


def ground_error(
    estimate: NDArray[np.float64], truth: NDArray[np.float64], ground: NDArray[np.float64]
) -> float:
    """Mean distance between where two homographies send the points [N, 2], px."""
    distances = np.linalg.norm(transfer(estimate, ground) - transfer(truth, ground), axis=1)
    return float(distances.mean())
