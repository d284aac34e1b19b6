"""The most textured points of each coarse cell of a reference image."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.homography import transfer

__all__ = ["CellCorners", "CornerFinder"]

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


class CornerFinder:
    """Finds the corners of network images of one size; may be used from several threads.

    A cell's own centre may lie on a blank wall; its strongest corner (Shi and Tomasi, CVPR 1994) is
    where sub-pixel alignment works best.

    Args:
        size: of the network images.
        stride: px per cell, of which both sides are multiples.
    """

    def __init__(self, size: NetworkSize, stride: int) -> None:
        self._stride = stride
        rows, columns = size.height // stride, size.width // stride
        y, x = np.divmod(np.arange(rows * columns), columns)
        self._origin = np.stack([x, y], axis=1) * stride
        # Arrays of this size would be given back to the system and asked for again for each image,
        # which takes several times as long as finding corners.
        self._strength = np.empty((size.height, size.width), np.float32)
        self._cells = np.empty((rows * columns, stride * stride), np.float32)
        self._taken = np.empty(self._cells.shape, np.bool_)
        self._in_use = threading.Lock()

    def find(self, image: NDArray[np.uint8]) -> CellCorners:
        """The corners of a network image uint8 [H, W]."""
        with self._in_use:
            return self._find(image)

    def _find(self, image: NDArray[np.uint8]) -> CellCorners:
        strength, cells, stride = self._strength, self._cells, self._stride
        cv2.cornerMinEigenVal(image, 5, strength, ksize=3)
        strength[:_MARGIN] = strength[-_MARGIN:] = -1.0
        strength[:, :_MARGIN] = strength[:, -_MARGIN:] = -1.0
        height, width = strength.shape
        blocks = strength.reshape(height // stride, stride, width // stride, stride)
        blocks = blocks.transpose(0, 2, 1, 3)
        cells.reshape(blocks.shape)[:] = blocks
        first = cells.argmax(axis=1)
        np.take(_near(stride), first, axis=0, out=self._taken, mode="clip")
        np.copyto(cells, np.float32(-1.0), where=self._taken)
        second = cells.argmax(axis=1)
        has_second = cells[np.arange(len(cells)), second] >= 0
        return CellCorners(self._points(first), self._points(second), has_second)

    def _points(self, within: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pixels [L, 2] of which each is given by its number within its cell."""
        y, x = np.divmod(within, self._stride)
        return (self._origin + np.stack([x, y], axis=1)).astype(np.float32)


@functools.cache
def _near(stride: int) -> NDArray[np.bool_]:
    """Which pixels of a cell are too near to each of its pixels, [stride^2, stride^2]."""
    y, x = np.divmod(np.arange(stride * stride), stride)
    return (np.abs(x[:, None] - x) < _APART) & (np.abs(y[:, None] - y) < _APART)
