"""The published Coarse LoFTR student (Kolkir/Coarse_LoFTR_TRT), as published: one graph per pair.

Cells are 16 px of a 640x480 image. Its training labels put a cell's point at the cell's top-left
pixel, and so does the network: on 280 scaled and shifted photographs (50,203 matches) the point
that explains its matches best is (-0.4, -1.5) px from that pixel's centre, with a standard
deviation of 0.14 px; the centre of the cell would be at (7.5, 7.5).
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

__all__ = ["StudentMatcher"]

WIDTH, HEIGHT, CELL = 640, 480, 16
# Coarse points are off by up to half a cell in each image, so a refined point may move by one.
FARTHEST_REFINEMENT_PX = 24.0


@dataclass(frozen=True, eq=False)
class StudentImage:
    """One image, ready for the pair graph.

    Attributes:
        image: uint8 [H, W] as received.
        network_input: float32 [1, 1, 480, 640] in [0, 1].
    """

    image: NDArray[np.uint8]
    network_input: NDArray[np.float32]


class StudentMatcher:
    """The pair graph; mutual nearest cells above a confidence.

    Args:
        weights: ``LoFTR_teacher.onnx`` of the published project.
        refine: move the current points by pyramidal Lucas-Kanade (Bouguet 2001), started at the
            coarse matches, in the images as received.
        runtime: what runs the graph.
        threads: CPU threads; 0 leaves the choice to the runtime.
        minimum_confidence: a match is kept when its dual-softmax confidence is greater.
            ``evaluate tune`` found 0 best (all mutual nearest cells); 0.2 was published.

    Raises:
        FileNotFoundError: when the weights are not there.
    """

    def __init__(
        self,
        weights: Path,
        refine: bool = False,
        runtime: Runtime = "onnxruntime",
        threads: int = 0,
        minimum_confidence: float = 0.0,
    ) -> None:
        self.name = "published student" + (" + Lucas-Kanade" if refine else "")
        self._refine = refine
        self._minimum_confidence = minimum_confidence
        self._graph = OnnxGraph(weights, runtime, threads)
        self.settings = {
            "method": "published student",
            "refine": refine,
            "minimum_confidence": minimum_confidence,
            "code": files_digest([__file__, inspect.getfile(mutual_nearest)]),
            **self._graph.settings,
        }

    def describe(self, image: NDArray[np.uint8]) -> StudentImage:
        """Resize for the network; it has no step of its own for one image."""
        resized = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
        return StudentImage(image, np.float32(resized / 255.0)[None, None])

    def match(self, reference: StudentImage, current: StudentImage) -> PointMatches:
        """Run the pair graph and turn mutual nearest cells into pixels."""
        # The first output is the confidence, the second the similarity it was made from.
        confidence = self._graph(reference.network_input, current.network_input)[0][0]
        rows, columns, kept = mutual_nearest(confidence, self._minimum_confidence)
        matches = PointMatches(
            _cell_points(rows, reference.image), _cell_points(columns, current.image), kept
        )
        return _lucas_kanade(reference.image, current.image, matches) if self._refine else matches


def _cell_points(cells: NDArray[np.intp], image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Top-left pixels of cells, in px of the image as received."""
    columns = WIDTH // CELL
    points = np.stack([cells % columns, cells // columns], axis=1) * float(CELL)
    scale = np.array([image.shape[1] / WIDTH, image.shape[0] / HEIGHT])
    return ((points + 0.5) * scale - 0.5).astype(np.float32)


def _lucas_kanade(
    reference: NDArray[np.uint8], current: NDArray[np.uint8], matches: PointMatches
) -> PointMatches:
    """Track the reference points from where they were matched; the lost ones are left out."""
    if len(matches) == 0:
        return matches
    height, width = np.maximum(reference.shape, current.shape)
    refined, found, _ = cv2.calcOpticalFlowPyrLK(
        _extended(reference, height, width),
        _extended(current, height, width),
        matches.reference_points.reshape(-1, 1, 2),
        matches.current_points.reshape(-1, 1, 2).copy(),
        winSize=(21, 21),
        maxLevel=2,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    refined = refined.reshape(-1, 2)
    moved = np.linalg.norm(refined - matches.current_points, axis=1)
    kept = (found.ravel() == 1) & (moved < FARTHEST_REFINEMENT_PX)
    return PointMatches(matches.reference_points[kept], refined[kept], matches.confidence[kept])


def _extended(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Repeat the last row and column up to a size: OpenCV tracks between equal sizes only."""
    missing = height - image.shape[0], width - image.shape[1]
    if missing == (0, 0):
        return image
    return cv2.copyMakeBorder(image, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
