"""A teacher that knows confidences of pairs of cells, as a matcher of points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.baselines.mutual_nearest import mutual_nearest
from coarse_loftr_lab.labelling.nearest_points import common_motion
from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.matching.matcher import NetworkMatches
from coarse_loftr_ros.matching.refinement import RefinementSettings, refine

__all__ = ["CellConfidences", "CellMatcher"]

CELL = 16
"""Side of a cell, px of the teacher's image."""

CellConfidences = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""Two images float32 [H, W] in [0, 1] -> confidences [L, S] of their cells, row by row."""

# The middles of two cells that show the same are up to a cell apart.
_ALIGNMENT = RefinementSettings(max_shift=float(CELL), levels=2, enough=0, few=0)


class CellMatcher:
    """Cells that are each other's best, moved to where the images themselves agree.

    Args:
        name: of the teacher.
        settings: what its answers depend on.
        confidences: what it says.
        size: (width, height) of the images that it sees, multiples of 16 px.
        threshold: least confidence.

    Raises:
        ValueError: for another size.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        confidences: CellConfidences,
        size: tuple[int, int],
        threshold: float,
    ) -> None:
        if min(size) < CELL or any(side % CELL for side in size):
            raise ValueError(
                f"size is {size[0]}x{size[1]}; both sides must be multiples of {CELL} px"
            )
        self.name = name
        self.settings = {**settings, "size": list(size), "threshold": threshold}
        self._confidences = confidences
        self._size = size
        self._threshold = threshold

    def describe(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image; the teacher looks at both together."""
        return image

    def match(self, reference: NDArray[np.uint8], current: NDArray[np.uint8]) -> PointMatches:
        """Match two images, both of any size."""
        seen = [cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
                for image in (reference, current)]  # fmt: skip
        confidence = self._confidences(*(image.astype(np.float32) / 255 for image in seen))
        rows, columns, sure = mutual_nearest(confidence, self._threshold)
        points = NetworkMatches(*(self._middles(cells) for cells in (rows, columns)), sure, rows)
        warp = common_motion(points.reference, points.current) if len(points) else None
        points = refine(points, *seen, _ALIGNMENT, warp)
        return PointMatches(
            self._to(reference, points.reference),
            self._to(current, points.current),
            points.confidence,
        )

    def _middles(self, cells: NDArray[np.intp]) -> NDArray[np.float32]:
        columns = self._size[0] // CELL
        middle = (CELL - 1) / 2
        return np.stack([cells % columns, cells // columns], axis=1).astype(np.float32) * CELL + (
            np.float32(middle)
        )

    def _to(self, image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points of the teacher's image in px of the image."""
        scale = np.array(image.shape[::-1]) / self._size
        return ((points + 0.5) * scale - 0.5).astype(np.float32)
