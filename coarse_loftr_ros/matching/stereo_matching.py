"""The left and the right image of a stereo camera matched with each other."""

from __future__ import annotations

import time
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.encoded_frame import EncodedFrame
from coarse_loftr_ros.matching.frame_matching import FramePoints, MatchSettings, match_points
from coarse_loftr_ros.matching.matcher import Matcher
from coarse_loftr_ros.matching.result import StereoMatch

__all__ = ["epipolar_inliers", "match_stereo_pair", "shift_at_infinity", "why_not_rectified"]

# Largest distance of an inlier from its epipolar line, px of the images as received.
_EPIPOLAR_PX = 1.5
_MIN_EPIPOLAR_MATCHES = 16


def match_stereo_pair(
    matcher: Matcher,
    left: EncodedFrame,
    right: EncodedFrame,
    settings: MatchSettings,
    rectified: bool,
    track_base: int = 0,
) -> StereoMatch:
    """Match the left image with the right one of the same time.

    Of a rectified pair a surface point lies on the same row of both images, and not further right
    in the right one than a point at infinity, known from the principal points where the
    frames have intrinsics: matches that break this by more than ``settings.row_tolerance_px`` are
    rejected and counted. Of another pair, inliers are those that agree with the epipolar geometry
    of most of them (fundamental matrix, MAGSAC++, Barath et al., CVPR 2020), and nothing is
    rejected.

    Cameras side by side see the same scale and are not turned: no other viewpoint is tried.

    Args:
        matcher: that encodes and matches.
        left: the reference.
        right: taken at the same time.
        settings: thresholds; ``search`` and ``homography`` are not used.
        rectified: whether rows correspond.
        track_base: track id of the left image's first point.
    """
    search = replace(settings.search, views=0, second_pass=np.inf)
    points = match_points(matcher, left, right, settings, search)
    begin = time.perf_counter()
    off_row, negative, row_offset = 0, 0, 0.0
    if len(points.point):
        row_offset = float(np.median(points.current[:, 1] - points.reference[:, 1]))
    if rectified and settings.row_tolerance_px > 0:
        infinity = shift_at_infinity(left.frame, right.frame)
        on_row, ahead = _on_row(points, infinity, settings.row_tolerance_px)
        off_row = int(np.count_nonzero(~(on_row & ahead)))
        negative = int(np.count_nonzero(on_row & ~ahead))
        points = points.select(on_row & ahead)
        inlier = np.ones(len(points.point), np.bool_)
    else:
        inlier = epipolar_inliers(points.reference, points.current)
    rows_ms = (time.perf_counter() - begin) * 1e3
    return StereoMatch(
        left.frame,
        right.frame,
        points.correspondences(track_base, inlier),
        off_row,
        negative,
        row_offset,
        sum(points.timings_ms.values()) + rows_ms,
    )


def why_not_rectified(match: StereoMatch) -> str:
    """Why two images cannot be a rectified pair, in words; empty when most matches allow it."""
    count = match.off_row + len(match.correspondences)
    if match.off_row <= len(match.correspondences):
        return ""
    if match.negative > count // 2:
        return (
            f"{match.negative} of {count} matches of left with right have a negative disparity: "
            "left and right look swapped (the images, or their camera_info)"
        )
    return (
        f"{match.off_row - match.negative} of {count} matches of left with right are not on one "
        f"row (right lies {match.row_offset_px:+.1f} px lower): the images are not rectified, or "
        "camera_info is of another pair; feed image_rect, or set rectify"
    )


def shift_at_infinity(left: Frame, right: Frame) -> float:
    """How much further right the right image has what is infinitely far away, px."""
    if left.intrinsics is None or right.intrinsics is None:
        return 0.0
    return right.intrinsics.cx - left.intrinsics.cx


def _on_row(
    points: FramePoints, infinity: float, tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which matches [N] lie on one row, and which are not beyond infinity."""
    shift = points.current - points.reference
    return np.abs(shift[:, 1]) <= tolerance, shift[:, 0] <= infinity + tolerance


def epipolar_inliers(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which matches of left with right, whatever the calibration, agree with a fundamental matrix.

    Args:
        left: float32 [N, 2], px.
        right: float32 [N, 2], px.

    Returns:
        bool [N]; all false where there are too few matches for a fit.
    """
    none = np.zeros(len(left), np.bool_)
    if len(none) < _MIN_EPIPOLAR_MATCHES:
        return none
    options = {"ransacReprojThreshold": _EPIPOLAR_PX, "confidence": 0.999, "maxIters": 1000}
    try:
        matrix, inlier = cv2.findFundamentalMat(left, right, method=cv2.USAC_MAGSAC, **options)
    except cv2.error:
        # Of points on one plane OpenCV 5 makes a second guess, and asserts that there is one.
        matrix, inlier = cv2.findFundamentalMat(left, right, method=cv2.FM_RANSAC, **options)
    return none if matrix is None else inlier.ravel().astype(np.bool_)
