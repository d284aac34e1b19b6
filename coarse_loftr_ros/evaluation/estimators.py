"""Robust estimators, the same for every method that is measured.

USAC with MAGSAC++ scoring (Barath et al. 2020) in OpenCV draws its samples from a generator with
a fixed seed, so the same matches always give the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.evaluation.pair_matcher import PointMatches
from coarse_loftr_ros.frame import Intrinsics

__all__ = ["HomographyEstimate", "PoseEstimate", "estimate_homography", "estimate_pose"]

CONFIDENCE = 0.99999
HOMOGRAPHY_ITERATIONS = 5000


@dataclass(frozen=True, eq=False)
class HomographyEstimate:
    """A homography from reference to current pixels.

    Attributes:
        success: whether an estimate was found.
        matrix: float64 [3, 3] with ``matrix[2, 2] == 1``; the identity without success.
        inlier: bool [N], one per match.
    """

    success: bool
    matrix: NDArray[np.float64]
    inlier: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """A relative pose: ``x_current = rotation @ x_reference + translation``, scale unknown.

    Attributes:
        success: whether an estimate was found.
        rotation: float64 [3, 3]; the identity without success.
        translation: float64 [3] of length 1; zero without success.
        inlier: bool [N], one per match.
    """

    success: bool
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    inlier: NDArray[np.bool_]


def estimate_homography(matches: PointMatches, threshold_px: float = 3.0) -> HomographyEstimate:
    """Homography by MAGSAC, at ``threshold_px`` in the current image."""
    matrix = mask = None
    if len(matches) >= 4:
        matrix, mask = cv2.findHomography(
            matches.reference_points,
            matches.current_points,
            cv2.USAC_MAGSAC,
            threshold_px,
            maxIters=HOMOGRAPHY_ITERATIONS,
            confidence=CONFIDENCE,
        )
    if matrix is None or abs(matrix[2, 2]) < 1e-12:
        return HomographyEstimate(False, np.eye(3), np.zeros(len(matches), np.bool_))
    return HomographyEstimate(True, matrix / matrix[2, 2], mask.ravel().astype(np.bool_))


def estimate_pose(
    matches: PointMatches, intrinsics: Intrinsics, threshold_px: float = 1.0
) -> PoseEstimate:
    """Relative pose by an essential matrix with MAGSAC; both images from the same camera."""
    camera = intrinsics.matrix()
    essential = mask = None
    if len(matches) >= 5:
        essential, mask = cv2.findEssentialMat(
            matches.reference_points,
            matches.current_points,
            camera,
            method=cv2.USAC_MAGSAC,
            prob=CONFIDENCE,
            threshold=threshold_px,
        )
    if essential is None or essential.shape != (3, 3):
        return PoseEstimate(False, np.eye(3), np.zeros(3), np.zeros(len(matches), np.bool_))
    inlier = mask.ravel().astype(np.bool_)
    # Far points count too when the four candidate poses are told apart: hence no distance limit.
    _, rotation, translation, *_ = cv2.recoverPose(
        essential,
        matches.reference_points,
        matches.current_points,
        camera,
        distanceThresh=1e9,
        mask=mask.copy(),
    )
    return PoseEstimate(True, rotation, translation.ravel(), inlier)
