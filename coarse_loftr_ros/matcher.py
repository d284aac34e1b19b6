"""Encode images and match them: from a pair of feature sets to point matches.

Everything here is in pixels of the network image; the pipeline maps points to the image as
received.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import Backend, CoarseMatches, EncodedImage, ModelFiles

__all__ = ["Features", "Matcher", "PointMatches"]

_FINE_WINDOW = 8  # side of the searched square of fine pixels, as in training
# Corners closer than this to the border have no full window for the refinement.
_CORNER_MARGIN = 4


@dataclass(frozen=True, eq=False)
class Features:
    """One encoded network image.

    Attributes:
        image: uint8 [H, W], the network image.
        encoded: what the backend made of it.
        coarse_stride: px per coarse cell.
    """

    image: NDArray[np.uint8]
    encoded: EncodedImage
    coarse_stride: int

    @cached_property
    def corners(self) -> NDArray[np.float32]:
        """The most textured pixel of each coarse cell, float32 [L, 2], (x, y).

        A cell's own centre may lie on a blank wall; its strongest corner (Shi and Tomasi, CVPR
        1994) is where sub-pixel alignment works best. Needed for references only.
        """
        stride = self.coarse_stride
        height, width = self.image.shape
        strength = cv2.cornerMinEigenVal(self.image, 5, ksize=3)
        strength[:_CORNER_MARGIN] = strength[-_CORNER_MARGIN:] = -1.0
        strength[:, :_CORNER_MARGIN] = strength[:, -_CORNER_MARGIN:] = -1.0
        rows, columns = height // stride, width // stride
        cells = strength.reshape(rows, stride, columns, stride).transpose(0, 2, 1, 3)
        best = cells.reshape(rows * columns, stride * stride).argmax(axis=1)
        cell = np.arange(rows * columns)
        x = (cell % columns) * stride + best % stride
        y = (cell // columns) * stride + best // stride
        return np.stack([x, y], axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class PointMatches:
    """Matches of two network images.

    Attributes:
        reference: float32 [N, 2], px of the reference network image.
        current: float32 [N, 2], px of the current network image.
        confidence: float32 [N] in [0, 1].
        cell: int64 [N], the reference's coarse cell; at most one match per cell.
    """

    reference: NDArray[np.float32]
    current: NDArray[np.float32]
    confidence: NDArray[np.float32]
    cell: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.confidence)

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> PointMatches:
        """A part of the matches, by mask or index."""
        return PointMatches(
            self.reference[which], self.current[which], self.confidence[which], self.cell[which]
        )


class Matcher:
    """Encodes network images and matches them in pairs.

    Args:
        model: the exported model.
        backend: a runtime that has loaded it for one network size.
    """

    def __init__(self, model: ModelFiles, backend: Backend) -> None:
        self.model = model
        self.backend = backend
        self._columns = backend.size.width // model.coarse_stride
        self._raw, self._right = np.array(model.calibration).T
        self._input = np.empty((1, 1, backend.size.height, backend.size.width), np.float32)

    def encode(self, image: NDArray[np.uint8]) -> Features:
        """Features of a network image uint8 [H, W] of exactly the backend's size.

        Raises:
            ValueError: when it has another size.
        """
        if image.shape != self._input.shape[2:]:
            raise ValueError(
                f"network image is {image.shape[1]}x{image.shape[0]}; "
                f"the backend is built for {self.backend.size}"
            )
        np.multiply(image, np.float32(1 / 255), out=self._input[0, 0])
        encoded = self.backend.encode(self._input)
        return Features(image, encoded, self.model.coarse_stride)

    def match(
        self, reference: Features, current: Features, threshold: float, limit: int
    ) -> PointMatches:
        """Mutual best matches, placed to about a pixel by the fine features.

        Args:
            reference: encoded by this matcher.
            current: encoded by this matcher.
            threshold: least confidence of a match, in [0, 1]; confidences are the model's,
                calibrated to the share of right matches.
            limit: most matches; the most confident are kept.
        """
        coarse = self.backend.match(reference.encoded, current.encoded)
        raw_threshold = float(np.interp(threshold, self._right, self._raw))
        cell, current_cell, raw = _mutual(coarse, raw_threshold, limit)
        confidence = np.interp(raw, self._raw, self._right).astype(np.float32)
        return self._place(reference, current, cell, current_cell, confidence)

    def _place(
        self,
        reference: Features,
        current: Features,
        cell: NDArray[np.int64],
        current_cell: NDArray[np.int64],
        confidence: NDArray[np.float32],
    ) -> PointMatches:
        """Find each reference cell's corner around the centre of its matched cell.

        The corner's fine feature is correlated with an 8x8 window of the current image's; the
        expectation over the 3x3 bins around the maximum is the position (LoFTR's soft argmax,
        made local so that a second maximum does not pull it).
        """
        stride, fine_stride = self.model.coarse_stride, self.model.fine_stride
        point = reference.corners[cell]
        half = np.float32((stride - 1) / 2)
        to_fine = np.float32((fine_stride - 1) / 2)
        offset = point - (self._origin(cell) + half)
        centre = self._origin(current_cell) + half + offset
        start = np.rint((centre - to_fine) / fine_stride - (_FINE_WINDOW - 1) / 2)
        start = start.astype(np.int64)

        descriptor = _sample(reference.encoded.fine, (point - to_fine) / fine_stride)
        descriptor *= np.float32(self.model.fine_scale)
        at = _local_expectation(_correlate(current.encoded.fine, start, descriptor))
        position = (start + at) * fine_stride + to_fine
        return PointMatches(point, position.astype(np.float32), confidence, cell)

    def _origin(self, cell: NDArray[np.int64]) -> NDArray[np.float32]:
        """Top-left pixel of coarse cells, float32 [N, 2]."""
        x, y = cell % self._columns, cell // self._columns
        return (np.stack([x, y], axis=1) * self.model.coarse_stride).astype(np.float32)


def _mutual(
    coarse: CoarseMatches, threshold: float, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Cells that are each other's best, as reference cell, current cell, confidence.

    The confidence is LoFTR's dual softmax: the product of the softmax over the current cells and
    the one over the reference cells. Neither factor exceeds 1, so rows whose own factor is below
    the threshold are never searched.
    """
    row_share = coarse.reference_max / coarse.reference_sum
    cell = np.flatnonzero(row_share >= threshold)
    best = coarse.reference_max[cell]
    current_cell = coarse.weight[cell].argmax(axis=1)
    confidence = row_share[cell] * (best / coarse.current_sum[current_cell])
    kept = (coarse.current_max[current_cell] == best) & (confidence >= threshold)
    cell, current_cell, confidence = cell[kept], current_cell[kept], confidence[kept]
    if len(cell) > limit:
        # A stable sort, then back to cell order: ties break the same way on every run.
        surest = np.sort(np.argsort(-confidence, kind="stable")[:limit])
        cell, current_cell, confidence = cell[surest], current_cell[surest], confidence[surest]
    return cell, current_cell, confidence


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
    step = np.arange(_FINE_WINDOW)
    x, y = start[:, :1] + step, start[:, 1:] + step
    outside = ((x < 0) | (x >= width))[:, None, :] | ((y < 0) | (y >= height))[:, :, None]
    index = np.clip(y, 0, height - 1)[:, :, None] * width + np.clip(x, 0, width - 1)[:, None, :]
    window = features.reshape(-1, channels).take(index.reshape(len(start), _FINE_WINDOW**2), axis=0)
    products = np.matmul(window, descriptor[:, :, None])[:, :, 0]
    products[outside.reshape(products.shape)] = 0.0
    return products


def _local_expectation(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean position (x, y) [N, 2] over the 3x3 bins around each maximum of [N, 64]."""
    best = logits.argmax(axis=1)
    row = np.clip(best // _FINE_WINDOW, 1, _FINE_WINDOW - 2)
    column = np.clip(best % _FINE_WINDOW, 1, _FINE_WINDOW - 2)
    dy, dx = np.divmod(np.arange(9), 3) - np.array([[1], [1]])
    first = np.arange(len(logits)) * _FINE_WINDOW**2
    index = (first + row * _FINE_WINDOW + column)[:, None] + (dy * _FINE_WINDOW + dx)
    weight = logits.ravel().take(index)
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    offsets = np.stack([dx, dy], axis=1).astype(np.float32)
    return np.stack([column, row], axis=1) + weight @ offsets
