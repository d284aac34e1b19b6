"""Which matches contradict the motion that is seen over the widest part of the image.

The motion is rigid where distances are known, otherwise that of two views: epipolar geometry, or a
homography where nothing shows parallax but what lies in one place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.homography import fit_homography, spread, transfer

__all__ = ["Landmarks", "errors_against_scene", "seen_wider"]

# Matches that the estimators get: one for each part of the image of this side, so that what has
# most texture has no more voices than its area.
_PART_SHARE = 1 / 24  # of the image's longer side
_LEAST_MATCHES = 12
_SAMPLES = 100
_SAMPLES_OF_FOUR = 60  # landmarks
# Another motion is the scene's when it is seen this many times as wide.
_WIDER = 1.25
# A scene is flat, and what is off its plane moves by itself, where so large a share of the matches
# lies on the plane, and the others, which the same camera motion would move by parallax, are seen
# in one place: over no larger share of the view.
_FLAT_SHARE = 0.45
_FLAT_SPREAD = 0.4
_DISPARITY_SIGMA_PX = 0.3
_LEAST_DEPTH = 1e-3


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Distances of the reference's points, of a rectified stereo pair.

    Attributes:
        rays: float64 [N, 3], of the reference's points, of depth 1.
        disparity: float64 [N], px; NaN where it is not known.
        camera: float64 [3, 3], intrinsics of the reference and of the current camera.
    """

    rays: NDArray[np.float64]
    disparity: NDArray[np.float64]
    camera: NDArray[np.float64]


def errors_against_scene(
    reference: NDArray[np.float32],
    current: NDArray[np.float32],
    still: NDArray[np.bool_],
    size: tuple[int, int],
    threshold_px: float,
    landmarks: Landmarks | None = None,
) -> NDArray[np.float64] | None:
    """How far each match is from the scene's motion.

    Args:
        reference: float32 [N, 2], px.
        current: float32 [N, 2], px.
        still: bool [N], which matches may tell the scene's motion.
        size: width and height of the images.
        threshold_px: largest error of a match that agrees.
        landmarks: distances where they are known.

    Returns:
        float64 [N], px; NaN where it cannot be told. ``None`` where no motion is found.
    """
    part = max(size) * _PART_SHARE
    if landmarks is not None:
        known = np.isfinite(landmarks.disparity)
        some = _thinned(reference, np.flatnonzero(known & still), part)
        if len(some) >= _LEAST_MATCHES:
            errors = _rigid_errors(reference, current, some, threshold_px, landmarks)
            if errors is not None:
                return errors
    some = _thinned(reference, np.flatnonzero(still), part)
    if len(some) < _LEAST_MATCHES:
        return None
    every = _thinned(reference, np.arange(len(reference)), part)
    return _two_view_errors(reference, current, some, every, threshold_px)


def _thinned(
    points: NDArray[np.float32], some: NDArray[np.int64], part: float
) -> NDArray[np.int64]:
    """One of the points ``some`` for each square part of the image."""
    column, row = (points[some] / part).astype(np.int64).T
    _, first = np.unique(row * 4096 + column, return_index=True)
    return some[first]


def _widest(
    points: NDArray[np.float32],
    some: NDArray[np.int64],
    fit: Callable[[NDArray[np.int64]], tuple[object, NDArray[np.bool_]] | None],
) -> tuple[object, NDArray[np.int64]] | None:
    """Of the motion with the most matches and that of the rest, the one seen wider.

    Args:
        points: float32 [N, 2] of the reference.
        some: indices of the matches.
        fit: a motion of matches, and which agree with it.

    Returns:
        The motion, and the indices of what agrees.
    """
    found = fit(some)
    if found is None:
        return None
    motion, inlier = found
    agree, rest = some[inlier], some[~inlier]
    if not seen_wider(points[rest], points[agree]):
        return motion, agree
    other = fit(rest)
    if other is None or not seen_wider(points[rest[other[1]]], points[agree]):
        return motion, agree
    return other[0], rest[other[1]]


def seen_wider(points: NDArray[np.float32], others: NDArray[np.float32]) -> bool:
    """Whether points [N, 2] are many, and lie clearly wider apart than others [M, 2]."""
    return len(points) >= _LEAST_MATCHES and spread(points) > _WIDER * spread(others)


def _rigid_errors(
    reference: NDArray[np.float32],
    current: NDArray[np.float32],
    some: NDArray[np.int64],
    threshold_px: float,
    landmarks: Landmarks,
) -> NDArray[np.float64] | None:
    """Reprojection errors, less what the noise of the disparities explains."""
    rays, camera = landmarks.rays, landmarks.camera
    # Lengths in units of the usual distance.
    unit = float(np.median(landmarks.disparity[some]))
    inverse = landmarks.disparity / unit
    pixels = current.astype(np.float64)
    points = rays[some] / inverse[some, None]
    place = np.full(len(reference), -1)
    place[some] = np.arange(len(some))

    def fit(which: NDArray[np.int64]) -> tuple[object, NDArray[np.bool_]] | None:
        found, turn, translation, inlier = cv2.solvePnPRansac(
            points[place[which]],
            pixels[which],
            camera,
            None,
            iterationsCount=_SAMPLES_OF_FOUR,
            reprojectionError=threshold_px,
            confidence=0.99,
            flags=cv2.SOLVEPNP_AP3P,
        )
        if not found or inlier is None or not np.isfinite(turn).all():
            return None
        agree = np.zeros(len(which), bool)
        agree[inlier[:, 0]] = True
        return (turn, translation), agree

    widest = _widest(reference, some, fit)
    if widest is None:
        return None
    (turn, translation), agree = widest
    turn, translation = cv2.solvePnPRefineLM(
        points[place[agree]], pixels[agree], camera, None, turn, translation
    )
    turned = rays @ cv2.Rodrigues(turn)[0].T @ camera.T
    shift = camera @ translation[:, 0]
    noise = _DISPARITY_SIGMA_PX / unit

    def seen(inverse: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = turned + inverse[:, None] * shift
        return moved[:, :2] / np.maximum(moved[:, 2:], _LEAST_DEPTH)

    expected = seen(inverse)
    explained = 3.0 * np.linalg.norm(seen(inverse + noise) - expected, axis=1)
    return np.maximum(np.linalg.norm(pixels - expected, axis=1) - explained, 0.0)


def _two_view_errors(
    reference: NDArray[np.float32],
    current: NDArray[np.float32],
    some: NDArray[np.int64],
    every: NDArray[np.int64],
    threshold_px: float,
) -> NDArray[np.float64] | None:
    """Distances from epipolar lines, or from where a homography puts the points."""

    def plane(which: NDArray[np.int64]) -> tuple[object, NDArray[np.bool_]] | None:
        fit = fit_homography(reference[which], current[which], threshold_px, _SAMPLES)
        return None if fit.matrix is None else (fit.matrix, fit.inlier)

    lines = _fundamental(reference[some], current[some], threshold_px)
    distances = None if lines is None else _line_distances(lines, reference, current)
    flat = _widest(reference, some, plane)
    if flat is None:
        return distances
    errors = np.linalg.norm(transfer(flat[0], reference) - current, axis=1)
    # All matches count here: with those that were left out before, more and more would be.
    off = every[errors[every] > threshold_px]
    if len(off) > (1.0 - _FLAT_SHARE) * len(every):
        return distances
    if distances is not None:
        off = off[distances[off] <= threshold_px]
    if spread(reference[off]) > _FLAT_SPREAD * spread(reference[every]):
        return distances
    return errors


def _fundamental(
    reference: NDArray[np.float32], current: NDArray[np.float32], threshold_px: float
) -> NDArray[np.float64] | None:
    parameters = cv2.UsacParams()
    parameters.threshold = threshold_px
    parameters.maxIterations = _SAMPLES
    parameters.confidence = 0.99
    try:
        matrix, _ = cv2.findFundamentalMat(reference, current, parameters)
    except cv2.error:
        # Of points on one plane OpenCV 5 makes a second guess, and asserts that there is one.
        return None
    if matrix is None or matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        return None
    return matrix


def _line_distances(
    matrix: NDArray[np.float64], reference: NDArray[np.float32], current: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Sampson's distances [N], px."""
    first = np.column_stack([reference, np.ones(len(reference))])
    second = np.column_stack([current, np.ones(len(current))])
    lines, back = first @ matrix.T, second @ matrix
    value = np.einsum("nk,nk->n", second, lines)
    square = (lines[:, :2] ** 2).sum(1) + (back[:, :2] ** 2).sum(1)
    return np.abs(value) / np.sqrt(np.maximum(square, 1e-12))
