"""The homography of matches, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.homography import (
    distances,
    fit_homography,
    image_outline,
    other_motion,
    polished,
    transfer,
)
from coarse_loftr_ros.matching.result import Homography, Status

__all__ = ["HomographySettings", "coverage", "estimate_homography"]

# Nothing that a camera does to a plane shrinks or grows it a hundredfold within the view.
_PLAUSIBLE_AREA_RATIO = 100.0
# Something with much texture that moves in front of a plain scene has the most matches; the scene
# is seen over a wider part of the image, so many times its area.
_SCENE_SPREAD = 1.5
# Inliers on a smaller share of the image say little of its corners.
_SMALL_PART = 0.3
# More steps gain nothing.
_MOST_STEPS = 5
# From this many times the area on it is not clear which of two motions is the scene's.
_AS_WIDE = 0.5


@dataclass(frozen=True)
class HomographySettings:
    """Thresholds of the estimator and of the status.

    Attributes:
        threshold_px: largest transfer error of an inlier, px of the network image, so that it
            means the same for every camera.
        min_inliers: inliers in fewer cells mean LOST.
        good_inliers: inliers in fewer cells mean DEGRADED.
        good_inlier_ratio: a smaller share means DEGRADED: much of the scene does not agree with
            the homography (parallax, moving objects) or many matches are wrong.
        good_coverage: inliers on a smaller share of the image mean DEGRADED.
        good_confidence: a smaller median of the inliers' confidence means DEGRADED, where
            confidences are given: matches of a texture that repeats itself may agree by chance,
            and the network is less sure of them.
    """

    threshold_px: float = 3.0
    min_inliers: int = 15
    good_inliers: int = 40
    good_inlier_ratio: float = 0.4
    good_coverage: float = 0.15
    good_confidence: float = 0.85

    def __post_init__(self) -> None:
        if not self.threshold_px > 0:
            raise ValueError(f"threshold_px is {self.threshold_px}; it must be positive")
        if self.min_inliers < 4:
            raise ValueError(f"min_inliers is {self.min_inliers}; a homography needs at least 4")


def coverage(points: NDArray[np.floating], width: int, height: int) -> float:
    """Share of an 8x6 grid over the image that holds at least one of the points [N, 2]."""
    if len(points) == 0:
        return 0.0
    cells = ((points + 0.5) * (8.0 / width, 6.0 / height)).astype(np.int64)
    x, y = np.minimum(np.maximum(cells, 0), (7, 5)).T
    return int(np.count_nonzero(np.bincount(y * 8 + x))) / 48.0


def estimate_homography(
    reference: NDArray[np.float32],
    current: NDArray[np.float32],
    width: int,
    height: int,
    settings: HomographySettings,
    threshold_px: float | None = None,
    cell: NDArray[np.int64] | None = None,
    confidence: NDArray[np.float32] | None = None,
) -> tuple[Homography, NDArray[np.bool_]]:
    """Estimate the homography of matches and its status.

    Args:
        reference: float32 [N, 2], px of the reference image as received.
        current: float32 [N, 2], px of the current image as received.
        width: of the reference image, px.
        height: of the reference image, px.
        settings: thresholds.
        threshold_px: inlier threshold in the points' own pixels; ``None`` takes the settings'.
        cell: int64 [N], on which cell of the reference each match rests; matches of one cell count
            once for the status. ``None``: each has its own.
        confidence: float32 [N] of the matches, the share of right ones; ``None`` asks for none.

    Returns:
        The homography and the inliers, bool [N]; none while LOST.
    """
    threshold_px = threshold_px or settings.threshold_px
    estimate = fit_homography(reference, current, threshold_px)
    other = other_motion(
        reference, current, threshold_px, estimate, settings.good_inliers, _AS_WIDE
    )
    rival, rival_area = other or (estimate, 0.0)
    if rival_area >= _SCENE_SPREAD:
        estimate, rival_area = rival, 1 / rival_area
    matrix, inlier = estimate.matrix, estimate.inlier
    errors = np.full(len(reference), np.inf)
    if matrix is not None:
        size = width, height
        matrix = _settled(matrix, reference[inlier], current[inlier], size, threshold_px / 3)
        errors = distances(transfer(matrix, reference), current)
        inlier = errors <= threshold_px
    count = int(np.count_nonzero(inlier))
    support = count if cell is None else int(np.count_nonzero(np.bincount(cell[inlier])))
    failure = ""
    if matrix is None:
        failure = f"no homography fits {len(reference)} matches"
    elif support < settings.min_inliers:
        failure = f"inliers in {support} cells, fewer than {settings.min_inliers}"
    else:
        failure = _implausible(matrix, width, height)
    if matrix is None or failure:
        lost = Homography(np.eye(3), len(reference), 0, 0, float("inf"), 0.0, Status.LOST, failure)
        return lost, np.zeros_like(inlier)
    rms = float(np.sqrt(np.mean(errors[inlier] ** 2)))
    covered = coverage(reference[inlier], width, height)
    reasons = []
    if support < settings.good_inliers:
        reasons.append(f"inliers in {support} cells, fewer than {settings.good_inliers}")
    ratio = count / len(reference)
    if ratio < settings.good_inlier_ratio:
        reasons.append(f"inlier ratio {ratio:.2f} below {settings.good_inlier_ratio:.2f}")
    if covered < settings.good_coverage:
        reasons.append(f"coverage {covered:.2f} below {settings.good_coverage:.2f}")
    if rival_area >= _AS_WIDE:
        reasons.append(f"another motion over {rival_area:.2f} of the area")
    if confidence is not None:
        median = float(np.median(confidence[inlier]))
        if median < settings.good_confidence:
            reasons.append(f"confidence {median:.2f} below {settings.good_confidence:.2f}")
    status = Status.DEGRADED if reasons else Status.OK
    homography = Homography(
        matrix, len(reference), count, support, rms, covered, status, "; ".join(reasons)
    )
    return homography, inlier


def _settled(
    matrix: NDArray[np.float64],
    reference: NDArray[np.float32],
    current: NDArray[np.float32],
    size: tuple[int, int],
    tolerance_px: float,
) -> NDArray[np.float64]:
    """A homography polished once; on a small part of the image until the corners stay in place.

    Far outside of a small common part it is a few doubtful inliers that turn the plane, and each
    step sees more clearly which they are. All over the image they are as good as the others: of
    what lies near a plane.

    Args:
        matrix: homography [3, 3].
        reference: float32 [N, 2], its inliers.
        current: float32 [N, 2].
        size: (width, height) of the reference image, px.
        tolerance_px: by which corners may move at the last step, px of the current image.
    """
    outline = image_outline(*size)
    seen = transfer(matrix, outline)
    matrix = polished(matrix, reference, current)
    for _ in range(_MOST_STEPS):
        seen, before = transfer(matrix, outline), seen
        with np.errstate(invalid="ignore"):  # of corners behind the camera nothing can be said
            moved = np.abs(seen - before).max()
        if not moved > tolerance_px or coverage(reference, *size) > _SMALL_PART:
            break
        matrix = polished(matrix, reference, current)
    return matrix


def _implausible(matrix: NDArray[np.float64], width: int, height: int) -> str:
    """Why no camera could see the image's outline so; empty when one could.

    OpenCV's estimator refuses mirrored views itself; a view collapsed to a point it does not.
    """
    outline = image_outline(width, height)
    depth = outline @ matrix[2, :2] + matrix[2, 2]
    if (depth <= 0).any():
        # The horizon crosses the view: possible for a ground plane, and no area to compare.
        return ""
    area = cv2.contourArea(transfer(matrix, outline).astype(np.float32))
    ratio = area / ((width - 1) * (height - 1))
    if not 1 / _PLAUSIBLE_AREA_RATIO < ratio < _PLAUSIBLE_AREA_RATIO:
        return f"implausible homography: it changes the image's area by a factor {ratio:.3g}"
    return ""
