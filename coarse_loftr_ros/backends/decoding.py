"""From the similarities of all coarse cells to matches with sub-cell positions, in NumPy.

``joined_graphs.py`` states the same as a graph for the GPU; a test holds both together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import CellMatches, ModelFiles
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["FINE_WINDOW", "CellDecoder", "CoarseMatches", "select_cells"]

FINE_WINDOW = 8
"""Side of the searched square of fine pixels, as in training."""


@dataclass(frozen=True, eq=False)
class CoarseMatches:
    """How well all coarse cells of two images fit each other.

    Attributes:
        weight: float32 [L, L], reference cells by current cells; the exponential of their
            similarity, up to a common factor.
        reference_sum: float32 [L], sum of each row.
        current_sum: float32 [L], sum of each column.
        reference_max: float32 [L], maximum of each row.
        current_max: float32 [L], maximum of each column.
    """

    weight: NDArray[np.float32]
    reference_sum: NDArray[np.float32]
    current_sum: NDArray[np.float32]
    reference_max: NDArray[np.float32]
    current_max: NDArray[np.float32]

    def confidence(self) -> NDArray[np.float32]:
        """The dual-softmax confidence of all pairs, [L, L] in [0, 1]; too slow for every frame."""
        rows = self.weight / self.reference_sum[:, None]
        return rows * (self.weight / self.current_sum)

    def mutual(
        self, threshold: float, limit: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Cells that are each other's best, as reference cell, current cell, confidence.

        The confidence is LoFTR's dual softmax: the product of the softmax over the current cells
        and the one over the reference cells. Neither factor exceeds 1, so rows whose own factor is
        below the threshold are never searched.
        """
        row_share = self.reference_max / self.reference_sum
        cell = np.flatnonzero(row_share >= threshold)
        best = self.reference_max[cell]
        current_cell = self.weight[cell].argmax(axis=1)
        confidence = row_share[cell] * (best / self.current_sum[current_cell])
        kept = (self.current_max[current_cell] == best) & (confidence >= threshold)
        cell, current_cell, confidence = cell[kept], current_cell[kept], confidence[kept]
        if len(cell) > limit:
            kept = _surest(confidence, limit)
            cell, current_cell, confidence = cell[kept], current_cell[kept], confidence[kept]
        return cell, current_cell, confidence


def _surest(confidence: NDArray[np.float32], limit: int) -> NDArray[np.int64]:
    """Indices of the ``limit`` largest confidences [N], rising; ties break the same each time."""
    return np.sort(np.argsort(-confidence, kind="stable")[:limit])


def select_cells(
    position: NDArray[np.float32],
    confidence: NDArray[np.float32],
    threshold: float,
    limit: int,
) -> CellMatches:
    """The matches among what the GPU's graph says of every reference cell.

    Args:
        position: float32 [L, 2], see ``CellMatches``.
        confidence: float32 [L], 0 where the cells are not each other's best.
        threshold: least confidence.
        limit: most matches.
    """
    cell = np.flatnonzero((confidence >= threshold) & (confidence > 0))
    if len(cell) > limit:
        cell = cell[_surest(confidence[cell], limit)]
    return CellMatches(cell, position[cell], confidence[cell])


class CellDecoder:
    """Decodes what the graphs return for images of one network size.

    Args:
        model: whose strides and fine scale are used.
        size: of the network images.
    """

    def __init__(self, model: ModelFiles, size: NetworkSize) -> None:
        self._stride, self._fine_stride = model.coarse_stride, model.fine_stride
        self._fine_scale = np.float32(model.fine_scale)
        self._columns = size.width // model.coarse_stride

    def decode(
        self,
        coarse: CoarseMatches,
        reference_fine: NDArray[np.float32],
        current_fine: NDArray[np.float32],
        corners: NDArray[np.float32],
        threshold: float,
        limit: int,
    ) -> CellMatches:
        """Mutual best cells, and where each reference cell's corner lies in the current image.

        The corner is looked for around the centre of the matched cell: its fine feature is
        correlated with an 8x8 window of the current image's; the expectation over the 3x3 bins
        around the maximum is the position (LoFTR's soft argmax, made local so that a second
        maximum does not pull it).

        Args:
            coarse: of the pair.
            reference_fine: float32 [H / fine_stride, W / fine_stride, F], unit length per pixel.
            current_fine: likewise.
            corners: float32 [L, 2], see ``Backend.match``.
            threshold: least confidence.
            limit: most matches.
        """
        cell, current_cell, confidence = coarse.mutual(threshold, limit)
        fine_stride = self._fine_stride
        point = corners[cell]
        half = np.float32((self._stride - 1) / 2)
        to_fine = np.float32((fine_stride - 1) / 2)
        offset = point - (self._origin(cell) + half)
        centre = self._origin(current_cell) + half + offset
        start = np.rint((centre - to_fine) / fine_stride - (FINE_WINDOW - 1) / 2)
        start = start.astype(np.int64)

        descriptor = _sample(reference_fine, (point - to_fine) / fine_stride)
        descriptor *= self._fine_scale
        at = _local_expectation(_correlate(current_fine, start, descriptor))
        position = (start + at) * fine_stride + to_fine
        return CellMatches(cell, position.astype(np.float32), confidence)

    def _origin(self, cell: NDArray[np.int64]) -> NDArray[np.float32]:
        """Top-left pixel of coarse cells, float32 [N, 2]."""
        x, y = cell % self._columns, cell // self._columns
        return (np.stack([x, y], axis=1) * self._stride).astype(np.float32)


def _sample(features: NDArray[np.float32], at: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bilinear samples [N, F] of features [H, W, F] at (x, y) [N, 2], of unit length."""
    height, width, _ = features.shape
    limit = np.array([width - 1, height - 1], np.float32)
    at = np.clip(at, 0, limit)
    low = np.minimum(np.floor(at), limit - 1)
    fx, fy = (at - low)[..., None].transpose(1, 0, 2)
    x, y = low.astype(np.int64).T
    total = (1 - fy) * (1 - fx) * features[y, x]
    total += (1 - fy) * fx * features[y, x + 1]
    total += fy * (1 - fx) * features[y + 1, x]
    total += fy * fx * features[y + 1, x + 1]
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-4)
    return total


def _correlate(
    features: NDArray[np.float32], start: NDArray[np.int64], descriptor: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Products [N, 64] of descriptors [N, F] with 8x8 squares of features [H, W, F].

    The squares begin at ``start`` (x, y) [N, 2]; outside the map, products are zero as in
    training.
    """
    height, width, channels = features.shape
    step = np.arange(FINE_WINDOW)
    x, y = start[:, :1] + step, start[:, 1:] + step
    outside = ((x < 0) | (x >= width))[:, None, :] | ((y < 0) | (y >= height))[:, :, None]
    index = np.clip(y, 0, height - 1)[:, :, None] * width + np.clip(x, 0, width - 1)[:, None, :]
    window = features.reshape(-1, channels).take(index.reshape(len(start), FINE_WINDOW**2), axis=0)
    products = np.matmul(window, descriptor[:, :, None])[:, :, 0]
    products[outside.reshape(products.shape)] = 0.0
    return products


def _local_expectation(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean position (x, y) [N, 2] over the 3x3 bins around each maximum of [N, 64]."""
    best = logits.argmax(axis=1)
    row = np.clip(best // FINE_WINDOW, 1, FINE_WINDOW - 2)
    column = np.clip(best % FINE_WINDOW, 1, FINE_WINDOW - 2)
    dy, dx = np.divmod(np.arange(9), 3) - np.array([[1], [1]])
    first = np.arange(len(logits)) * FINE_WINDOW**2
    index = (first + row * FINE_WINDOW + column)[:, None] + (dy * FINE_WINDOW + dx)
    weight = logits.ravel().take(index)
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    offsets = np.stack([dx, dy], axis=1).astype(np.float32)
    return np.stack([column, row], axis=1) + weight @ offsets
