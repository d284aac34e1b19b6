"""Which motion explains two views: parallax, a plane, or a turn alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, log_rotation
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.odometry.camera_rays import project, rays_of, tangent_basis
from coarse_loftr_ros.odometry.plane_motion import (
    PlaneMotion,
    decompose,
    plane_distances,
    ray_homography,
    refine_plane_motion,
)
from coarse_loftr_ros.odometry.two_views import (
    CERTAIN_PARALLAX,
    EpipolarMotion,
    epipolar_distances,
    fit_epipolar,
    fit_turn,
    some_of,
)

__all__ = ["ViewModel", "choose_model", "gric"]

_SIGMA_FLOOR_PX = 0.1
# Most that a match counts when two motions are compared, squared standard deviations, and how many
# standard deviations of the sum are certain.
_MOST_COST = 4.0
_OFF_PLANE_SIGMAS = 4.0
_CERTAIN_DEVIATIONS = 4.0


@dataclass(frozen=True, eq=False)
class ViewModel:
    """The motion that explains the matches best, of the reference camera into the current one.

    Attributes:
        rotation: float64 [3, 3].
        direction: unit vector, float64 [3], of the translation; ``None`` after a turn alone.
        normal: unit vector, float64 [3], of the plane in the reference camera; ``None`` when the
            scene is not one.
        covariance: float64 [3, 3] of a turn, else [5, 5]: rotation along the current camera's
            axes, then the direction along the columns of ``tangent_basis(direction)``.
        errors: distance of each match from the model [N], px.
        sigma_px: robust standard deviation of the matches, px.
        ambiguity: why another motion may be the right one; empty when there is no other.
    """

    rotation: NDArray[np.float64]
    direction: NDArray[np.float64] | None
    normal: NDArray[np.float64] | None
    covariance: NDArray[np.float64]
    errors: NDArray[np.float64]
    sigma_px: float
    ambiguity: str = ""

    @property
    def unit_covariance(self) -> NDArray[np.float64]:
        """Covariance [6, 6] of (translation, rotation) with a translation of length exactly 1."""
        carry = np.zeros((6, 5))
        carry[3:, :3] = np.eye(3)
        carry[:3, 3:] = tangent_basis(self.direction)
        return carry @ self.covariance @ carry.T


def choose_model(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    threshold_px: float,
    predicted: Pose,
    plane_normal: NDArray[np.float64] | None,
) -> ViewModel | None:
    """Fit the models that are possible, and take the one with the least ``gric``.

    The noise of the matches is that of the epipolar fit, the model that can explain most.

    Args:
        reference: float64 [N, 2], px.
        current: float64 [N, 2], px.
        camera: of both.
        threshold_px: largest error of an inlier.
        predicted: a guess of the reference camera in the current one.
        plane_normal: of the plane that was last seen, in the reference camera; of two motions
            that a plane allows, the one that agrees with it is taken.
    """
    epipolar = fit_epipolar(reference, current, camera, threshold_px, predicted)
    turn = None
    if epipolar is None:
        turn = fit_turn(reference, current, camera, predicted.rotation)
    elif epipolar.parallax < CERTAIN_PARALLAX:
        turn = fit_turn(reference, current, camera, epipolar.rotation)
    candidates: list[tuple[float, ViewModel]] = []
    sigma = _SIGMA_FLOOR_PX
    if epipolar is not None:
        errors = epipolar_distances(
            reference, current, camera, epipolar.rotation, epipolar.direction
        )
        sigma = max(sigma, 1.4826 * float(np.median(np.abs(errors))))
        candidates.append((gric(errors, sigma, 3, 5), _parallax(epipolar, np.abs(errors), sigma)))
    if turn is not None:
        offset = project(rays_of(reference, camera) @ turn.rotation.T, camera) - current
        errors = np.hypot(offset[:, 0], offset[:, 1])
        model = ViewModel(turn.rotation, None, None, turn.covariance, errors, sigma)
        candidates.append((gric(errors, sigma, 2, 3), model))
    best = min((score for score, _ in candidates), default=np.inf)
    plane = _plane(reference, current, camera, threshold_px, predicted, plane_normal, sigma, best)
    if plane is not None:
        candidates.append(plane)
    return min(candidates, key=lambda scored: scored[0])[1] if candidates else None


def gric(errors: NDArray[np.float64], sigma: float, structure: int, parameters: int) -> float:
    """Geometric robust information criterion; the model of the least one explains best.

    P. Torr, "Geometric motion segmentation and model selection", Phil. Trans. R. Soc. A, 1998:
    the sum of ``min(e^2 / sigma^2, 2 (4 - d))`` plus ``d n ln 4 + k ln(4 n)``.

    Args:
        errors: distances [N] of matches from the model, px.
        sigma: standard deviation of a match, px.
        structure: dimension ``d`` of what the model leaves open: 3 for epipolar geometry (a match
            moves along its line), 2 for a homography or a turn.
        parameters: ``k`` of the model: 5 epipolar geometry of a calibrated camera, 8 a
            homography, 3 a turn.
    """
    count = len(errors)
    capped = np.minimum((errors / sigma) ** 2, 2.0 * (4 - structure))
    return float(capped.sum() + structure * count * np.log(4.0) + parameters * np.log(4.0 * count))


def _parallax(motion: EpipolarMotion, errors: NDArray[np.float64], sigma: float) -> ViewModel:
    return ViewModel(motion.rotation, motion.direction, None, motion.covariance, errors, sigma)


def _plane(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    threshold_px: float,
    predicted: Pose,
    plane_normal: NDArray[np.float64] | None,
    sigma: float,
    best: float,
) -> tuple[float, ViewModel] | None:
    """The motion over a plane with its score; ``None`` when it does not beat ``best``."""
    # A plane that half of the matches do not follow is no model of the scene.
    few = some_of(reference), some_of(current)
    homography = ray_homography(*few, camera, threshold_px, most_samples=100)
    if homography is None:
        return None
    rays = rays_of(reference, camera)
    offset = project(rays @ homography.T, camera) - current
    distance = np.hypot(offset[:, 0], offset[:, 1])
    if gric(distance, sigma, 2, 8) >= best:
        return None
    motions = decompose(homography, rays)
    if not motions:
        return None
    off_plane = distance > _OFF_PLANE_SIGMAS * sigma
    start = _told_by_parallax(motions, reference[off_plane], current[off_plane], camera, sigma)
    ambiguity = ""
    if start is None:
        start, ambiguity = _likely(motions, predicted, plane_normal)
    fit = refine_plane_motion(reference, current, camera, start, threshold_px=threshold_px)
    if fit is None:
        return None
    length = float(np.linalg.norm(fit.shift))
    direction = fit.shift / length
    errors = plane_distances(reference, current, camera, fit)
    carry = np.zeros((5, 8))
    carry[:3, :3] = np.eye(3)
    carry[3:, 3:6] = tangent_basis(direction).T / length
    covariance = carry @ fit.covariance @ carry.T
    if ambiguity:
        # As likely as not it was the other one.
        (other,) = (motion for motion in motions if motion is not start)
        apart = other.shift / np.linalg.norm(other.shift) - direction
        turned = log_rotation(other.rotation @ fit.rotation.T)
        error = np.concatenate([turned, tangent_basis(direction).T @ apart])
        covariance = covariance + np.outer(error, error)
    model = ViewModel(fit.rotation, direction, fit.normal, covariance, errors, sigma, ambiguity)
    return gric(errors, sigma, 2, 8), model


def _told_by_parallax(
    motions: list[PlaneMotion],
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    sigma: float,
) -> PlaneMotion | None:
    """Of the motions that a plane allows the one that matches off the plane agree with, if any.

    A street has more than a road: what stands beside it lies on the epipolar lines of the true
    motion. On the plane, where errors of neighbours are alike, either motion may seem the better
    one; wrong matches follow neither but by chance.

    Args:
        motions: that the plane allows.
        reference: float64 [N, 2], of the matches off the plane, px.
        current: float64 [N, 2], px.
        camera: of both.
        sigma: standard deviation of a match, px.
    """
    if len(motions) != 2 or not len(reference):
        return None
    costs = []
    for motion in motions:
        direction = motion.shift / np.linalg.norm(motion.shift)
        errors = epipolar_distances(reference, current, camera, motion.rotation, direction)
        costs.append(np.minimum((errors / sigma) ** 2, _MOST_COST))
    differences = costs[0] - costs[1]
    total = float(differences.sum())
    if abs(total) <= _CERTAIN_DEVIATIONS * float(np.linalg.norm(differences)):
        return None
    return motions[1] if total > 0 else motions[0]


def _likely(
    motions: list[PlaneMotion], predicted: Pose, plane_normal: NDArray[np.float64] | None
) -> tuple[PlaneMotion, str]:
    """Of the motions that a plane allows the one that agrees with before, and its ambiguity."""
    if len(motions) == 1:
        return motions[0], ""
    if plane_normal is not None:
        return max(motions, key=lambda motion: float(motion.normal @ plane_normal)), ""
    if predicted.translation.any():
        return max(motions, key=lambda m: float(m.shift @ predicted.translation)), ""
    facing = max(motions, key=lambda motion: float(motion.normal[2]))
    return facing, "two motions fit a plane, the one that faces it is taken"
