"""From the similarities of all coarse cells to matches with sub-cell positions, in NumPy.

``joined_graphs.py`` states the same as a graph for the GPU; a test holds both together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import CellMatches, ModelFiles
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = [
    "FINE_WINDOW",
    "CellDecoder",
    "CoarseMatches",
    "select_cells",
    "with_border",
    "without_border",
]

FINE_WINDOW = 8
"""Side of the searched square of fine pixels, as in training."""

# Squares of this many matches are multiplied before they have left the processor's cache.
_AT_ONCE = 128
# A square around a cell's pixel reaches this many fine pixels out of the image at most.
_BORDER = FINE_WINDOW // 2


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
        # All rows: a copy of those in question takes longer.
        current_cell = self.weight.argmax(axis=1)[cell]
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


def with_border(fine: NDArray[np.float32]) -> NDArray[np.float32]:
    """A copy of fine features [H / fine_stride, W / fine_stride, F] with zeros all around.

    A window at the image's border then needs no care: what lies outside has products of zero, as
    in training.
    """
    height, width, channels = fine.shape
    framed = np.zeros((height + 2 * _BORDER, width + 2 * _BORDER, channels), np.float32)
    without_border(framed)[:] = fine
    return framed


def without_border(framed: NDArray[np.float32]) -> NDArray[np.float32]:
    """The fine features that ``with_border`` framed, as a view."""
    return framed[_BORDER:-_BORDER, _BORDER:-_BORDER]


class CellDecoder:
    """Decodes what the graphs return for images of one network size.

    Args:
        model: whose strides and fine scale are used.
        size: of the network images.
    """

    def __init__(self, model: ModelFiles, size: NetworkSize) -> None:
        self._stride, self._fine_stride = model.coarse_stride, model.fine_stride
        self._fine_scale = np.float32(model.fine_scale)
        # The top-left pixel of each coarse cell.
        columns, rows = size.width // self._stride, size.height // self._stride
        y, x = np.divmod(np.arange(rows * columns), columns)
        self._origin = (np.stack([x, y], axis=1) * self._stride).astype(np.float32)

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
            reference_fine: of unit length per pixel, as ``with_border`` returns it.
            current_fine: likewise.
            corners: float32 [L, 2], see ``Backend.match``.
            threshold: least confidence.
            limit: most matches.
        """
        cell, current_cell, confidence = coarse.mutual(threshold, limit)
        to_fine = np.float32((self._fine_stride - 1) / 2)
        point = corners[cell]
        moved = point + self._origin[current_cell] - self._origin[cell]
        start = np.rint((moved - to_fine) / self._fine_stride - np.float32((FINE_WINDOW - 1) / 2))
        descriptor = _sample(reference_fine, (point - to_fine) / self._fine_stride + _BORDER)
        descriptor *= self._fine_scale
        at = start + _local_expectation(_correlate(current_fine, start + _BORDER, descriptor))
        return CellMatches(cell, at * self._fine_stride + to_fine, confidence)


def _sample(features: NDArray[np.float32], at: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bilinear samples [N, F] of framed features [H, W, F] at (x, y) [N, 2], of unit length."""
    height, width, channels = features.shape
    inner = (width - 1 - _BORDER, height - 1 - _BORDER)
    at = np.minimum(np.maximum(at, np.float32(_BORDER)), np.array(inner, np.float32))
    low = np.minimum(at.astype(np.int64), (inner[0] - 1, inner[1] - 1))
    fx, fy = (at - low).T
    share = np.empty((len(at), 1, 4), np.float32)
    share[:, 0, 3] = fx * fy
    share[:, 0, 2] = fy - share[:, 0, 3]
    share[:, 0, 1] = fx - share[:, 0, 3]
    share[:, 0, 0] = 1 - fx - share[:, 0, 2]
    around = (low[:, 1] * width + low[:, 0])[:, None] + np.array([0, 1, width, width + 1])
    mean = np.matmul(share, features.reshape(-1, channels).take(around, axis=0))[:, 0]
    mean /= np.maximum(np.sqrt(np.einsum("nf,nf->n", mean, mean)), 1e-4)[:, None]
    return mean


def _correlate(
    features: NDArray[np.float32], start: NDArray[np.float32], descriptor: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Products [N, 64] of descriptors [N, F] with 8x8 squares of framed features [H, W, F].

    The squares begin at the whole numbers ``start`` (x, y) [N, 2] and lie within the features.
    """
    height, width, channels = features.shape
    # A square's row is one piece of memory: eight reads in place of sixty-four.
    pixels = height * width - FINE_WINDOW + 1
    size = features.itemsize
    rows = np.ndarray(
        (pixels, FINE_WINDOW * channels), features.dtype, features, 0, (channels * size, size)
    )
    x, y = start.astype(np.int64).T
    at = (y * width + x)[:, None] + width * np.arange(FINE_WINDOW)
    products = np.empty((len(start), FINE_WINDOW**2, 1), np.float32)
    for first in range(0, len(start), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        window = rows[at[part]].reshape(-1, FINE_WINDOW**2, channels)
        np.matmul(window, descriptor[part, :, None], out=products[part])
    return products[:, :, 0]


# The 3x3 bins around one of 8x8: which they are from there, and (x, y, 1) of each.
_DY, _DX = (step.ravel() - 1 for step in np.indices((3, 3)))
_BINS = _DY * FINE_WINDOW + _DX
_OFFSETS = np.stack([_DX, _DY, np.ones(9)], axis=1).astype(np.float32)
# The nearest bin to each of 8x8 that has neighbours on all sides, (x, y).
_INNER = np.clip(np.indices((FINE_WINDOW, FINE_WINDOW)).reshape(2, -1)[::-1].T, 1, FINE_WINDOW - 2)
_INNER_BIN = _INNER @ (1, FINE_WINDOW)


def _local_expectation(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean position (x, y) [N, 2] over the 3x3 bins around each maximum of [N, 64]."""
    best = logits.argmax(axis=1)
    first = np.arange(0, logits.size, FINE_WINDOW**2) + _INNER_BIN[best]
    near = logits.reshape(-1).take(first[:, None] + _BINS)
    # Products of unit vectors by the fine scale: no exponential of them overflows.
    moments = np.exp(near) @ _OFFSETS
    return _INNER[best].astype(np.float32) + moments[:, :2] / moments[:, 2:]
