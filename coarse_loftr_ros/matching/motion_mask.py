"""Leaves out what moves by itself, without knowing what it is: it contradicts the scene's motion.

Each match says whether it contradicts, and hands that on to where it is in the current image; what
contradicts in several images running is left out, with what is around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.result import MovingShare
from coarse_loftr_ros.matching.scene_motion import Landmarks, errors_against_scene, seen_wider

__all__ = ["MotionMask", "MotionMaskSettings"]

_CELLS = 40  # along the image's longer side: of 16 px at VGA
_LEAST_DISPARITY_PX = 1.0
_BOX = (3, 3)


@dataclass(frozen=True)
class MotionMaskSettings:
    """When something moves.

    Attributes:
        threshold_px: largest error of a match that agrees with the scene's motion, px of the
            network image.
        clearly: a match contradicts when its error is larger than so many times that.
        memory: share of what was known before that an image leaves standing.
        moving: from this on a cell moves: of the share of images in which it contradicts, the
            latest counting most. With the memory of 0.5 it takes two running.
        moving_with: from this on a cell moves when one beside it does.
        least_cells: smaller regions are wrong matches.
        most: where a larger share of the cells with matches contradicts, nothing is left out.
    """

    threshold_px: float = 1.25
    clearly: float = 3.0
    memory: float = 0.5
    moving: float = 0.7
    moving_with: float = 0.5
    least_cells: int = 4
    most: float = 0.6


class MotionMask:
    """What moves by itself in a stream of images.

    Args:
        settings: when something does.

    Attributes:
        latest: how much of the newest image is left out.
    """

    def __init__(self, settings: MotionMaskSettings | None = None) -> None:
        self.settings = settings or MotionMaskSettings()
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self.latest = MovingShare(0.0)
        # Of cells, float32 [rows, columns]: how surely they move.
        self._of_reference: NDArray[np.float32] | None = None
        self._of_current: NDArray[np.float32] | None = None
        self._mask: NDArray[np.bool_] | None = None  # of the current image's cells
        self._cell_px = 1.0
        self._disparity_of_reference: NDArray[np.float32] | None = None  # of its points
        self._disparity_of_current: NDArray[np.float32] | None = None
        self._camera: NDArray[np.float64] | None = None

    def take_reference(self) -> None:
        """The newest image is the reference of those to come."""
        self._of_reference = self._of_current
        self._disparity_of_reference = self._disparity_of_current

    def take_stereo(
        self, frame: Frame, points: NDArray[np.int64], disparity: NDArray[np.float64]
    ) -> None:
        """Distances of the newest image's points; nothing without intrinsics.

        Args:
            frame: the newest image.
            points: int64 [N], numbers of its points.
            disparity: float [N], px.
        """
        self._disparity_of_current = None
        if frame.intrinsics is None or not len(points):
            return
        self._camera = frame.intrinsics.matrix()
        known = np.where(disparity >= _LEAST_DISPARITY_PX, disparity, np.nan)
        self._disparity_of_current = np.full(int(points.max()) + 1, np.nan, np.float32)
        self._disparity_of_current[points] = known

    def still(
        self,
        reference: NDArray[np.float32],
        current: NDArray[np.float32],
        points: NDArray[np.int64] | None,
        size: tuple[int, int],
        scale: float,
    ) -> NDArray[np.bool_]:
        """Which matches of the newest image with the reference do not move by themselves.

        Args:
            reference: float32 [N, 2], px.
            current: float32 [N, 2], px.
            points: int64 [N], numbers of the reference's points; ``None`` where they are others.
            size: width and height of both images.
            scale: px of the network image per px.

        Returns:
            bool [N].
        """
        settings = self.settings
        self._disparity_of_current = None
        self._cell_px = max(size) / _CELLS
        shape = tuple(int(np.ceil(side / self._cell_px)) for side in size[::-1])
        if self._of_reference is None:
            self._of_reference = np.zeros(shape, np.float32)
        before, now = self._cells(reference, shape), self._cells(current, shape)
        moves = self._of_reference[before]
        threshold = settings.threshold_px / scale
        errors = errors_against_scene(
            reference,
            current,
            moves < settings.moving_with,
            size,
            threshold,
            self._landmarks(reference, points),
        )
        if errors is not None:
            agree, contradict = errors <= threshold, errors > settings.clearly * threshold
            if seen_wider(reference[contradict], reference[agree]):
                errors = None  # it is the scene that contradicts
        if errors is None:
            moves *= settings.memory
        else:
            decided = agree | contradict
            moves[decided] *= settings.memory
            moves[contradict] += 1.0 - settings.memory
        ours, around, known = _spread_out(moves, now, shape)
        self._of_current = np.where(known, ours, settings.memory * around)
        ours, _, seen_at = _spread_out(moves, before, shape)
        self._of_reference = np.where(seen_at, ours, settings.memory * self._of_reference)
        self._mask = self._regions(around)
        share = np.count_nonzero(self._mask & known) / max(np.count_nonzero(known), 1)
        if share > settings.most:
            self._mask[:] = False
            self._of_reference[:] = self._of_current[:] = 0.0
            self.latest = MovingShare(0.0, f"nothing: {share:.0%} of the matched area would move")
        else:
            self.latest = MovingShare(float(self._mask.mean()))
        return ~self._mask[now]

    def still_at(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which points [N, 2] of the newest image are not on what moves."""
        if self._mask is None:
            return np.ones(len(points), bool)
        return ~self._mask[self._cells(points, self._mask.shape)]

    def _cells(
        self, points: NDArray[np.float32], shape: tuple[int, int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns [N] of the cells in which points [N, 2] lie."""
        column, row = ((points + 0.5) / self._cell_px).astype(np.int64).T
        # The last pixel's far edge is a point of the image too.
        return np.minimum(row, shape[0] - 1), np.minimum(column, shape[1] - 1)

    def _landmarks(
        self, reference: NDArray[np.float32], points: NDArray[np.int64] | None
    ) -> Landmarks | None:
        distances = self._disparity_of_reference
        if distances is None or points is None:
            return None
        known = points < len(distances)
        disparity = np.full(len(points), np.nan)
        disparity[known] = distances[points[known]]
        camera = self._camera
        rays = np.ones((len(points), 3))
        rays[:, :2] = (reference - camera[:2, 2]) / camera[[0, 1], [0, 1]]
        return Landmarks(rays, disparity, camera)

    def _regions(self, moves: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Cells that move, and those beside them that seem to."""
        settings = self.settings
        seem = (moves >= settings.moving_with).astype(np.uint8)
        if not (moves >= settings.moving).any():
            return np.zeros(moves.shape, bool)
        count, labels = cv2.connectedComponents(seem)
        sure = np.bincount(labels[moves >= settings.moving], minlength=count)
        region = (sure > 0) & (np.bincount(labels.ravel()) >= settings.least_cells)
        region[0] = False  # the rest
        mask = region[labels].astype(np.uint8)
        return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones(_BOX, np.uint8)) > 0


def _spread_out(
    values: NDArray[np.float32],
    cells: tuple[NDArray[np.int64], NDArray[np.int64]],
    shape: tuple[int, int],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Means of values [N] in cells.

    Returns:
        Mean of each cell, or where it has no value of those around it; mean of each with those
        around it; which cells have a value.
    """
    index = np.ravel_multi_index(cells, shape)
    area = shape[0] * shape[1]
    total = np.bincount(index, values, area).reshape(shape).astype(np.float32)
    number = np.bincount(index, minlength=area).reshape(shape).astype(np.float32)
    options = {"normalize": False, "borderType": cv2.BORDER_CONSTANT}
    around = cv2.boxFilter(total, -1, _BOX, **options)
    around /= np.maximum(cv2.boxFilter(number, -1, _BOX, **options), 1.0)
    known = number > 0
    return total / np.maximum(number, 1.0), around, known
