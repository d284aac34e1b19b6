"""Two images side by side with lines between their matches."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.result import MatchResult, Status

__all__ = ["draw_pair"]

_GAP = 8  # px between the images
_SHIFT = 4  # cv2 draws on 1/16 px
_OUTLIER = (110, 110, 110)
_OUTLINES = {Status.OK: (80, 200, 80), Status.DEGRADED: (0, 190, 255)}


def draw_pair(result: MatchResult, max_lines: int = 150) -> NDArray[np.uint8]:
    """Draw the reference on the left, the current image on the right, and lines between them.

    Inliers are coloured by where they are in the reference, so that crossing or swapped lines
    are seen at once; the others are grey. The reference's outline is drawn on the current image
    where the homography sees it.

    Args:
        result: of any two images, of the same size or not.
        max_lines: most matches drawn, spread evenly over the list.

    Returns:
        uint8 [H, W, 3], blue first, both images at their own size.
    """
    left, right = result.reference.image, result.current.image
    height = max(left.shape[0], right.shape[0])
    offset = left.shape[1] + _GAP
    canvas = np.full((height, offset + right.shape[1], 3), 24, np.uint8)
    for image, start in ((left, 0), (right, offset)):
        rows, columns = image.shape
        canvas[:rows, start : start + columns] = (image * 0.8).astype(np.uint8)[:, :, None]
    size = max(1, round(max(canvas.shape) / 1300))
    if result.homography.status in _OUTLINES:
        _outline(canvas[:, offset:], result, size)
    points = result.correspondences
    shown = np.arange(len(points))
    if len(points) > max_lines:
        shown = np.linspace(0, len(points) - 1, max_lines).astype(np.int64)
    # Outliers first, so that inliers lie on top of them.
    shown = shown[np.argsort(points.inlier[shown], kind="stable")]
    for index in shown:
        start = points.reference_points[index]
        end = points.current_points[index] + (offset, 0)
        colour = _OUTLIER
        if points.inlier[index]:
            colour = _place_colour(start[0] / left.shape[1], start[1] / left.shape[0])
        cv2.line(canvas, _fixed(start), _fixed(end), colour, size, cv2.LINE_AA, _SHIFT)
        for point in (start, end):
            radius = round(2 * size * 2**_SHIFT)
            cv2.circle(canvas, _fixed(point), radius, colour, -1, cv2.LINE_AA, _SHIFT)
    return canvas


def _place_colour(x: float, y: float) -> tuple[int, int, int]:
    """A bright colour for a place in the unit square: hue by x, paler by y."""
    hue = np.uint8([[[int(150 * x), int(255 - 90 * y), 255]]])
    blue, green, red = cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0]
    return int(blue), int(green), int(red)


def _fixed(point: NDArray[np.floating]) -> tuple[int, int]:
    x, y = np.rint(np.clip(point, -1e4, 1e5) * 2**_SHIFT)
    return int(x), int(y)


def _outline(canvas: NDArray[np.uint8], result: MatchResult, size: int) -> None:
    """The reference's border as the homography moves it, cut to the current image."""
    width, height = result.reference.width, result.reference.height
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)
    moved = np.c_[corners, np.ones(4)] @ result.homography.matrix.T
    if (moved[:, 2] <= 1e-6).any():
        return  # partly behind the camera: there is no such quadrangle
    moved = np.clip(moved[:, :2] / moved[:, 2:], -1e4, 1e4)
    view = np.ascontiguousarray(canvas[: result.current.height, : result.current.width])
    fixed = np.rint(moved * 2**_SHIFT).astype(np.int32)
    colour = _OUTLINES[result.homography.status]
    cv2.polylines(view, [fixed], True, colour, 2 * size, cv2.LINE_AA, _SHIFT)
    canvas[: result.current.height, : result.current.width] = view
