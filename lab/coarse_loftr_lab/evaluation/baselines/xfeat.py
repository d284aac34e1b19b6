"""XFeat (Potje et al., CVPR 2024), sparse: ONNX backbone, keypoint selection in NumPy and OpenCV.

Selection, sampling and matching follow the published sparse mode. The one difference: keypoints
go back to the image as received by pixel centres, where the original scales their coordinates.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.baselines.mutual_nearest import mutual_nearest
from coarse_loftr_lab.evaluation.baselines.onnx_graph import OnnxGraph, Runtime
from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.files.digest import files_digest

__all__ = ["XFeat"]

CELL = 8
# The network needs sides that are a multiple of this.
MULTIPLE = 32
MINIMUM_SCORE = 0.05
NEIGHBOURHOOD = 5


@dataclass(frozen=True, eq=False)
class XFeatKeypoints:
    """Keypoints of one image.

    Attributes:
        points: float32 [N, 2], px of the image as received.
        descriptors: float32 [N, 64], of length 1.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]


class XFeat:
    """Sparse XFeat with mutual nearest neighbours.

    The least cosine is what ``evaluate tune`` found best; 0.82 was published.

    Args:
        weights: ONNX backbone: image in; descriptors [1, 64, H/8, W/8], keypoint logits
            [1, 65, H/8, W/8] and reliability [1, 1, H/8, W/8] out.
        features: at most this many keypoints per image.
        minimum_cosine: a match is kept when its descriptors are more alike.
        runtime: what runs the backbone.
        threads: CPU threads; 0 leaves the choice to the runtime.

    Raises:
        FileNotFoundError: when the weights are not there.
    """

    def __init__(
        self,
        weights: Path,
        features: int = 4096,
        minimum_cosine: float = 0.75,
        runtime: Runtime = "onnxruntime",
        threads: int = 0,
    ) -> None:
        self.name = f"XFeat {features}"
        self._features = features
        self._minimum_cosine = minimum_cosine
        self._backbone = OnnxGraph(weights, runtime, threads)
        self.settings = {
            "method": "XFeat",
            "features": features,
            "minimum_cosine": minimum_cosine,
            "code": files_digest([__file__, inspect.getfile(mutual_nearest)]),
            **self._backbone.settings,
        }

    def describe(self, image: NDArray[np.uint8]) -> XFeatKeypoints:
        """Keypoints by score times reliability, and their descriptors.

        Raises:
            ValueError: when a side of the image is shorter than 32 px.
        """
        height, width = (side // MULTIPLE * MULTIPLE for side in image.shape)
        if 0 in (height, width):
            raise ValueError(f"image is {image.shape[1]}x{image.shape[0]}; XFeat needs 32x32 px")
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        grey = np.float32(resized / 255.0)
        descriptors, logits, reliability = self._backbone(np.repeat(grey[None, None], 3, axis=1))

        heatmap = _keypoint_heatmap(logits[0])
        rows, columns = _local_maxima(heatmap)
        points = np.stack([columns, rows], axis=1).astype(np.float32)
        at = _grid_positions(points, width, height)
        sampled = _sample(reliability[0], at, cubic=False)
        score = heatmap[rows, columns] * sampled[:, 0]
        best = np.argsort(-score, kind="stable")[: self._features]
        best = best[score[best] > 0]

        # The published order: unit length on the grid, again after sampling between its nodes.
        kept = _unit(_sample(_unit(descriptors[0], axis=0), at[best], cubic=True), axis=1)
        scale = np.array([image.shape[1] / width, image.shape[0] / height], np.float32)
        return XFeatKeypoints((points[best] + 0.5) * scale - 0.5, kept)

    def match(self, reference: XFeatKeypoints, current: XFeatKeypoints) -> PointMatches:
        """Mutual nearest neighbours by cosine."""
        cosine = reference.descriptors @ current.descriptors.T
        rows, columns, kept = mutual_nearest(cosine, self._minimum_cosine)
        return PointMatches(reference.points[rows], current.points[columns], kept)


def _keypoint_heatmap(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keypoint probability of each pixel, [H, W], from logits [65, H/8, W/8].

    The channels are the 64 pixels of a cell, row by row, and at last "no keypoint here".
    """
    exponential = np.exp(logits - logits.max(axis=0))
    probability = exponential[:-1] / exponential.sum(axis=0)
    rows, columns = probability.shape[1:]
    cells = probability.reshape(CELL, CELL, rows, columns).transpose(2, 0, 3, 1)
    return np.ascontiguousarray(cells.reshape(rows * CELL, columns * CELL))


def _local_maxima(heatmap: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of pixels that no neighbour exceeds and that are likely enough."""
    neighbourhood = np.ones((NEIGHBOURHOOD, NEIGHBOURHOOD), np.uint8)
    return np.nonzero((heatmap == cv2.dilate(heatmap, neighbourhood)) & (heatmap > MINIMUM_SCORE))


def _grid_positions(points: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Where the published sampling reads its 1/8 grids for pixels of the network's image.

    It maps pixel 0 to the outer edge of the grid's first node and the last pixel to the outer
    edge of the last node; the network was trained with this, so it is kept.
    """
    nodes = np.array([width / CELL, height / CELL], np.float32)
    return points / np.array([width - 1, height - 1], np.float32) * nodes - np.float32(0.5)


def _sample(grid: NDArray[np.float32], at: NDArray[np.float32], cubic: bool) -> NDArray[np.float32]:
    """Values [N, C] of a grid [C, rows, columns] between its nodes, bilinear or bicubic.

    Outside the grid there are zeros. OpenCV's ``remap`` has no bicubic of 64 channels.
    """
    taps, weight_of = (4, _cubic_weights) if cubic else (2, _linear_weights)
    pad = 3
    nodes = np.pad(grid.transpose(1, 2, 0), ((pad, pad), (pad, pad), (0, 0)))
    first = np.floor(at).astype(np.intp)
    weights = weight_of(at - first)
    corner = first + (pad - taps // 2 + 1)
    values = np.zeros((len(at), len(grid)), np.float32)
    for row in range(taps):
        for column in range(taps):
            weight = weights[row][:, 1] * weights[column][:, 0]
            values += weight[:, None] * nodes[corner[:, 1] + row, corner[:, 0] + column]
    return values


def _linear_weights(fraction: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [1 - fraction, fraction]


def _cubic_weights(fraction: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cubic convolution (Keys 1981) with a = -0.75, as PyTorch's bicubic sampling has it."""
    a = np.float32(-0.75)

    def near(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(1 + fraction), near(fraction), near(1 - fraction), far(2 - fraction)]


def _unit(vectors: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=axis, keepdims=True), 1e-12)
