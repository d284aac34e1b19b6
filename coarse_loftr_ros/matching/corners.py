"""The most textured points of each coarse cell of a reference image."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.homography import transfer

__all__ = ["CellCorners", "cell_corners"]

# Corners closer than this to the border have no full window for the refinement.
_MARGIN = 4
# The second corner of a cell is at least this far from the first along x or y.
_APART = 5


@dataclass(frozen=True, eq=False)
class CellCorners:
    """Corners of all L coarse cells of a network image, in its px.

    Attributes:
        first: float32 [L, 2], (x, y), the most textured pixel of each cell.
        second: float32 [L, 2], the most textured one of those away from it.
        has_second: bool [L], false where all others are too close to the image's border.
    """

    first: NDArray[np.float32]
    second: NDArray[np.float32]
    has_second: NDArray[np.bool_]

    def moved(self, matrix: NDArray[np.float64]) -> CellCorners:
        """In other pixels, by a homography [3, 3]."""
        first, second = (transfer(matrix, points) for points in (self.first, self.second))
        return CellCorners(first.astype(np.float32), second.astype(np.float32), self.has_second)


def cell_corners(image: NDArray[np.uint8], stride: int) -> CellCorners:
    """The corners of a network image.

    A cell's own centre may lie on a blank wall; its strongest corner (Shi and Tomasi, CVPR 1994) is
    where sub-pixel alignment works best.

    Args:
        image: uint8 [H, W].
        stride: px per cell, of which both sides are multiples.
    """
    height, width = image.shape
    strength = cv2.cornerMinEigenVal(image, 5, ksize=3)
    strength[:_MARGIN] = strength[-_MARGIN:] = -1.0
    strength[:, :_MARGIN] = strength[:, -_MARGIN:] = -1.0
    rows, columns = height // stride, width // stride
    cells = strength.reshape(rows, stride, columns, stride).transpose(0, 2, 1, 3)
    cells = cells.reshape(rows * columns, stride * stride)
    cell = np.arange(rows * columns)
    origin = np.stack([cell % columns, cell // columns], axis=1) * stride

    def points(best: NDArray[np.int64]) -> NDArray[np.float32]:
        within = np.stack([best % stride, best // stride], axis=1)
        return (origin + within).astype(np.float32)

    first = cells.argmax(axis=1)
    np.copyto(cells, np.float32(-1.0), where=_near(stride)[first])
    second = cells.argmax(axis=1)
    return CellCorners(points(first), points(second), cells[cell, second] >= 0)


@functools.cache
def _near(stride: int) -> NDArray[np.bool_]:
    """Which pixels of a cell are too near to each of its pixels, [stride^2, stride^2]."""
    y, x = np.divmod(np.arange(stride * stride), stride)
    return (np.abs(x[:, None] - x) < _APART) & (np.abs(y[:, None] - y) < _APART)
