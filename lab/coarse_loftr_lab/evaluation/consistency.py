"""Whether the covariances of an odometry are those of its errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, log_rotation
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.camera_rays import tangent_basis
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale

__all__ = ["Consistency", "normalised_error", "summarise"]

_FREEDOMS = 6


@dataclass(frozen=True)
class Consistency:
    """Normalised estimation error squared (NEES) of many images.

    The NEES of an error ``e`` with covariance ``C`` is ``e^T C^-1 e``; its mean is the number of
    degrees of freedom, 6, where covariances are right, more where they are too small (Bar-Shalom,
    Li and Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001, 5.4).

    Attributes:
        images: whose motion was measured.
        lost: others, which are not counted.
        mean: of the NEES of the motions since the reference.
        low: 5th percentile of it.
        high: 95th percentile of it.
        path: mean of the NEES of the poses, whose covariance is that of the motions chained; NaN
            where lengths are in a unit.
    """

    images: int
    lost: int
    mean: float
    low: float
    high: float
    path: float


def normalised_error(estimate: OdometryEstimate, moved: Pose) -> float:
    """NEES of the motion since the reference.

    A motion in a unit is assessed by what can be seen of it, its rotation and its direction: 5
    degrees of freedom, counted as 6.

    Args:
        estimate: that is not LOST.
        moved: the true motion, in metres.
    """
    error, covariance = _error(estimate.relative, moved), estimate.relative_covariance
    if estimate.scale is not Scale.UNIT:
        return _squared(error, covariance)
    length = float(np.linalg.norm(estimate.relative.translation))
    towards = estimate.relative.translation / length
    basis = tangent_basis(towards)
    seen = np.zeros((5, 6))
    seen[:2, :3], seen[2:, 3:] = basis.T / length, np.eye(3)
    true = moved.translation / np.linalg.norm(moved.translation)
    error = np.concatenate([basis.T @ (towards - true), error[3:]])
    return _squared(error, seen @ covariance @ seen.T) * _FREEDOMS / len(error)


def summarise(
    runs: Sequence[tuple[Sequence[OdometryEstimate], Mapping[int, Pose]]],
) -> Consistency:
    """The figures of some runs together.

    Args:
        runs: estimates, the first without a motion, and true poses by their stamps, in any frame.

    Raises:
        ValueError: when no motion was measured.
    """
    motions, poses, lost = [], [], 0
    for estimates, truth in runs:
        first = truth[estimates[0].stamp]
        for estimate in estimates[1:]:
            if estimate.status == Status.LOST:
                lost += 1
                continue
            now = truth[estimate.stamp]
            motions.append(
                normalised_error(estimate, truth[estimate.reference_stamp].inverse @ now)
            )
            in_unit = estimate.scale is Scale.UNIT
            error = _error(estimate.pose, first.inverse @ now)
            poses.append(np.nan if in_unit else _squared(error, estimate.covariance))
    if not motions:
        raise ValueError("no motion was measured")
    low, high = np.percentile(motions, (5, 95))
    return Consistency(
        len(motions), lost, float(np.mean(motions)), float(low), float(high), float(np.mean(poses))
    )


def _error(pose: Pose, true: Pose) -> NDArray[np.float64]:
    """Error [6] of (translation, rotation), along the axes of the parent frame."""
    turn = log_rotation(pose.rotation @ true.rotation.T)
    return np.concatenate([pose.translation - true.translation, turn])


def _squared(error: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    return float(error @ np.linalg.solve(covariance, error))
