"""A picture of a match result for people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.result import MatchResult, Status

__all__ = ["banner_height", "draw_overlay"]

# Blue first, as OpenCV draws.
_STATUS_COLOURS = {
    Status.OK: (80, 200, 80),
    Status.DEGRADED: (0, 190, 255),
    Status.LOST: (70, 70, 255),
}
_OUTLIER = (128, 128, 128)
_BANNER_SHARE = 1 / 16
_SUBPIXEL_BITS = 4


def draw_overlay(result: MatchResult, max_lines: int = 300) -> NDArray[np.uint8]:
    """Draw how the points moved from the reference to the current image.

    The current image carries a line from each reference position to the current one: inliers of
    the homography in a colour from blue (the least motion in view) to red (the most), the others
    thin and grey. The outline of the reference image, moved by the homography, shows whether it
    fits. A banner gives status and counts.

    Args:
        result: of the matcher.
        max_lines: most matches drawn, spread evenly over the list.

    Returns:
        uint8 [H + banner, W, 3], blue first; H and W are those of the current image.
    """
    current, points = result.current, result.correspondences
    canvas = cv2.cvtColor(current.image, cv2.COLOR_GRAY2BGR)
    # Darker, so that lines stand out on bright scenes.
    canvas = cv2.convertScaleAbs(canvas, alpha=0.75)
    shown = np.arange(len(points))
    if len(points) > max_lines:
        shown = np.linspace(0, len(points) - 1, max_lines).astype(np.int64)
    inlier = points.inlier[shown]
    reference = points.reference_points[shown]
    now = points.current_points[shown]
    size = max(1, round(max(current.width, current.height) / 640))
    for start, end in zip(reference[~inlier], now[~inlier], strict=True):
        _line(canvas, start, end, _OUTLIER, 1)
    if inlier.any():
        colours = _colours(np.linalg.norm(now[inlier] - reference[inlier], axis=1))
        for start, end, colour in zip(reference[inlier], now[inlier], colours, strict=True):
            _line(canvas, start, end, colour, size)
            _dot(canvas, end, colour, size)
    colour = _STATUS_COLOURS[result.homography.status]
    if result.homography.status != Status.LOST:
        _outline(canvas, result, colour, size)
    return np.concatenate([_banner(result, colour), canvas])


def banner_height(width: int, height: int) -> int:
    """Rows that ``draw_overlay`` adds above an image of this size."""
    return max(20, round(max(height, width * 0.75) * _BANNER_SHARE))


def _colours(motion_px: NDArray[np.float32]) -> list[tuple[int, int, int]]:
    """Colours of motions, spread over the range in view."""
    low, high = np.percentile(motion_px, (2, 98))
    # The lowest colours are too dark to see on a picture.
    level = 30 + 225 * np.clip((motion_px - low) / max(high - low, 1.0), 0, 1)
    table = cv2.applyColorMap(level.astype(np.uint8)[:, None], cv2.COLORMAP_TURBO)
    return [tuple(int(v) for v in row) for row in table.reshape(-1, 3)]


def _fixed(point: NDArray[np.floating]) -> tuple[int, int]:
    """A point in OpenCV's fixed-point coordinates, far ones moved to where it can still draw."""
    x, y = np.clip(np.rint(point * 2**_SUBPIXEL_BITS), -(2**20), 2**20)
    return int(x), int(y)


def _line(canvas: NDArray, start: NDArray, end: NDArray, colour: tuple, width: int) -> None:
    cv2.line(canvas, _fixed(start), _fixed(end), colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _dot(canvas: NDArray, centre: NDArray, colour: tuple, size: int) -> None:
    radius = int(1.6 * size * 2**_SUBPIXEL_BITS)
    cv2.circle(canvas, _fixed(centre), radius, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _outline(canvas: NDArray, result: MatchResult, colour: tuple, size: int) -> None:
    """The border of the reference image where the homography sees it."""
    width, height = result.reference.width, result.reference.height
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)
    moved = np.c_[corners, np.ones(4)] @ result.homography.matrix.T
    if (moved[:, 2] <= 1e-6).any():
        return  # partly behind the camera: there is no such quadrangle
    moved = moved[:, :2] / moved[:, 2:]
    for i in range(4):
        _line(canvas, moved[i], moved[(i + 1) % 4], colour, size)


def _banner(result: MatchResult, colour: tuple) -> NDArray[np.uint8]:
    """A strip with status and counts."""
    width = result.current.width
    height = banner_height(width, result.current.height)
    strip = np.full((height, width, 3), 24, np.uint8)
    homography = result.homography
    scale = height / 44
    thickness = max(1, round(scale))
    base = round(height * 0.68)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.rectangle(strip, (0, 0), (max(3, height // 5), height), colour, -1)
    at = height // 2
    word = homography.status.name
    cv2.putText(strip, word, (at, base), font, scale, colour, thickness, cv2.LINE_AA)
    at += cv2.getTextSize(word + "  ", font, scale, thickness)[0][0]
    text = f"{homography.inlier_count}/{homography.match_count} inliers"
    if homography.status != Status.LOST:
        text += f"  rms {homography.rms_px:.2f} px  coverage {100 * homography.coverage:.0f} %"
    if "total" in result.timings_ms:
        text += f"  {result.timings_ms['total']:.0f} ms"
    available = width - at - 4
    needed = cv2.getTextSize(text, font, scale, thickness)[0][0]
    scale *= min(1.0, available / needed)
    cv2.putText(strip, text, (at, base), font, scale, (230, 230, 230), thickness, cv2.LINE_AA)
    return strip
