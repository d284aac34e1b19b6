"""Two views as a motion with parallax, or as a turn alone; and which of them it was.

``rotation`` and ``direction`` take points from the reference camera to the current one:
``x_current = rotation @ x_reference + length * direction``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, exp_rotation, skew
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.odometry.camera_rays import (
    cross,
    pixel_jacobian,
    project,
    rays_of,
    tangent_basis,
)
from coarse_loftr_ros.odometry.least_squares import (
    INLIER_SIGMAS,
    SHARED_PX,
    TOLERANCE,
    Fit,
    Residuals,
    fit_robustly,
)

__all__ = [
    "CERTAIN_PARALLAX",
    "EpipolarMotion",
    "Turn",
    "epipolar_distances",
    "fit_epipolar",
    "fit_turn",
    "some_of",
    "triangulate",
]

_ENOUGH_FOR_A_START = 200
_NEAR = 1.0  # standard deviations: where a start is near enough
_Motion = tuple[NDArray[np.float64], NDArray[np.float64]]  # rotation and direction

# Most that a match counts for the direction, in multiples of what half of all matches do.
_MOST_LEVER = 3.0
# Parallax, in standard deviations of a match, from which on a translation is certain,
# and the share of matches that agree with it.
CERTAIN_PARALLAX = 20.0
_CERTAIN_SHARE = 0.7
# Of the sum of squared errors over the noise: 3 standard deviations of one parameter.
_CLEARLY_BETTER = 9.0


@dataclass(frozen=True, eq=False)
class EpipolarMotion:
    """A rotation and the direction of a translation.

    Attributes:
        rotation: float64 [3, 3].
        direction: unit vector, float64 [3].
        covariance: float64 [5, 5]: rotation along the current camera's axes, then the direction
            along the columns of ``tangent_basis(direction)``.
        parallax: what half of the points moved at least besides the turn, in standard deviations
            of a match; about 1 when they did not.
    """

    rotation: NDArray[np.float64]
    direction: NDArray[np.float64]
    covariance: NDArray[np.float64]
    parallax: float


@dataclass(frozen=True, eq=False)
class Turn:
    """A rotation alone.

    Attributes:
        rotation: float64 [3, 3].
        covariance: float64 [3, 3], along the current camera's axes.
    """

    rotation: NDArray[np.float64]
    covariance: NDArray[np.float64]


def fit_epipolar(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    threshold_px: float,
    predicted: Pose,
) -> EpipolarMotion | None:
    """Epipolar geometry of least distance, from random samples and from the predicted motion.

    Samples are those of MAGSAC++ (Barath et al., CVPR 2020). Small motions have two nearly equal
    explanations (a shift looks like a turn): the one that the last motion leads to is kept unless
    the other explains the matches clearly better.

    Args:
        reference: float64 [N, 2], px.
        current: float64 [N, 2], px.
        camera: of both.
        threshold_px: largest epipolar distance of an inlier.
        predicted: the reference camera in the current one; without a translation it is no guess.

    Returns:
        The motion, or ``None`` when none is found.
    """
    if len(reference) < 8:
        return None
    few_reference, few_current = some_of(reference), some_of(current)
    length = float(np.linalg.norm(predicted.translation))
    best = None
    if length > 0.0:
        start = predicted.rotation, predicted.translation / length
        best = _fit_from(start, few_reference, few_current, camera, threshold_px, _NEAR)
    if best is None or not _is_certain(best, threshold_px):
        start = _sampled_motion(few_reference, few_current, camera, threshold_px)
        if start is not None:
            other = _fit_from(start, few_reference, few_current, camera, threshold_px, _NEAR)
            best = _better(best, other)
    if best is None:
        return None
    start = _facing(best.state, rays_of(few_reference, camera), rays_of(few_current, camera))
    fit = _fit_from(start, reference, current, camera, threshold_px)
    return (
        None
        if fit is None
        else EpipolarMotion(*fit.state, fit.covariance, _parallax_over_noise(fit))
    )


def _fit_from(
    start: _Motion,
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    threshold_px: float,
    tolerance: float = TOLERANCE,
) -> Fit[_Motion] | None:
    before, after = rays_of(reference, camera), rays_of(current, camera)

    def step(motion: _Motion, delta: NDArray[np.float64]) -> _Motion:
        rotation, direction = motion
        direction = direction + tangent_basis(direction) @ delta[3:]
        return exp_rotation(delta[:3]) @ rotation, direction / np.linalg.norm(direction)

    return fit_robustly(
        start,
        lambda motion: _epipolar_residuals(before, after, camera, *motion),
        step,
        places=current,
        shared=SHARED_PX,
        tolerance=tolerance,
        sigma_ceiling=threshold_px / INLIER_SIGMAS,
    )


def _parallax_over_noise(fit: Fit[_Motion]) -> float:
    """How far half of the points moved at least besides the turn, over the noise of a match."""
    lever = np.hypot(fit.residuals.jacobian[:, 0, 3], fit.residuals.jacobian[:, 0, 4])
    return float(np.partition(lever, len(lever) // 2)[len(lever) // 2]) / fit.sigma


def _is_certain(fit: Fit[_Motion], threshold_px: float) -> bool:
    """Whether no other motion can explain the matches as well."""
    agreeing = float(np.mean(np.abs(fit.residuals.value) <= threshold_px))
    return _parallax_over_noise(fit) > CERTAIN_PARALLAX and agreeing > _CERTAIN_SHARE


def _better(kept: Fit[_Motion] | None, other: Fit[_Motion] | None) -> Fit[_Motion] | None:
    """The other fit when it is clearly better than the one that goes on from before."""
    if kept is None or other is None:
        return kept or other
    sigma = min(kept.sigma, other.sigma)
    costs = [
        float(np.minimum((fit.residuals.value / sigma) ** 2, 4.0).sum()) for fit in (kept, other)
    ]
    return other if costs[1] < costs[0] - _CLEARLY_BETTER else kept


def _sampled_motion(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    threshold_px: float,
) -> _Motion | None:
    """Rotation and direction of the essential matrix with most points before both cameras."""
    # OpenCV seeds this estimator with a constant: the same matches give the same motion.
    matrix, inlier = cv2.findEssentialMat(
        reference,
        current,
        camera.matrix(),
        method=cv2.USAC_MAGSAC,
        prob=0.999,
        threshold=threshold_px,
        maxIters=500,
    )
    if matrix is None or matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        return None
    agree = inlier[:, 0] > 0
    before, after = rays_of(reference[agree], camera), rays_of(current[agree], camera)
    first, second, direction = cv2.decomposeEssentialMat(matrix)
    return max(
        ((turn, sign * direction[:, 0]) for turn in (first, second) for sign in (1.0, -1.0)),
        key=lambda motion: _in_front(before, after, *motion),
    )


def fit_turn(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    start: NDArray[np.float64],
) -> Turn | None:
    """The rotation of least reprojection error of points that are infinitely far.

    Args:
        reference: float64 [N, 2], px.
        current: float64 [N, 2], px.
        camera: of both.
        start: a guess, float64 [3, 3].
    """
    before = rays_of(reference, camera)

    def residuals(rotation: NDArray[np.float64]) -> Residuals:
        turned = before @ rotation.T
        turned[:, 2] = np.maximum(turned[:, 2], 1e-3)
        by_point = pixel_jacobian(turned, camera)
        jacobian = cross(turned[:, None, :], by_point)
        return Residuals(project(turned, camera) - current, jacobian)

    fit = fit_robustly(
        start,
        residuals,
        lambda rotation, d: exp_rotation(d) @ rotation,
        places=current,
        shared=SHARED_PX,
    )
    return None if fit is None else Turn(fit.state, fit.covariance)


def epipolar_distances(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    rotation: NDArray[np.float64],
    direction: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Signed distances [N] of current points from their epipolar lines, px."""
    turned = rays_of(reference, camera) @ rotation.T
    line, inverse = _epipolar_lines(turned, camera, direction)
    return np.einsum("nk,nk->n", rays_of(current, camera), line) * inverse


def triangulate(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    rotation: NDArray[np.float64],
    translation: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inverse depths [N] in the reference camera, and how they move per radian of noise [N].

    The inverse depth has normal errors even where the parallax is as small as the noise; it is
    negative where the lines of sight part.
    """
    turned = rays_of(reference, camera) @ rotation.T
    after = rays_of(current, camera)
    normal = cross(after, turned)
    towards = cross(after, translation)
    square = np.maximum(np.einsum("nk,nk->n", towards, towards), 1e-20)
    # after x (turned + w translation) = 0, solved for w in the least squares sense.
    inverse = -np.einsum("nk,nk->n", normal, towards) / square
    lengths = np.einsum("nk,nk->n", turned, turned) * np.einsum("nk,nk->n", after, after)
    return inverse, np.sqrt(lengths / square)


def some_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evenly chosen rows, enough for a start by random samples, which all points refine."""
    return np.ascontiguousarray(points[:: -(-len(points) // _ENOUGH_FOR_A_START)])


def _epipolar_lines(
    turned: NDArray[np.float64], camera: Intrinsics, direction: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lines [N, 3] of turned rays in the current camera, and what makes distances pixels [N]."""
    line = turned @ skew(direction).T
    # The line in pixels: x over fx, y over fy; its third part does not matter for its length.
    length = np.hypot(line[:, 0] / camera.fx, line[:, 1] / camera.fy)
    return line, 1.0 / np.maximum(length, 1e-12)


def _epipolar_residuals(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    camera: Intrinsics,
    rotation: NDArray[np.float64],
    direction: NDArray[np.float64],
) -> Residuals:
    turned = before @ rotation.T
    line, inverse = _epipolar_lines(turned, camera, direction)
    value = np.einsum("nk,nk->n", after, line) * inverse
    jacobian = np.empty((len(before), 1, 5))
    # after . (t x (e x y)) = e . (y x (after x t)), and after . (d x y) = d . (y x after). The
    # double product is after (y . t) - t (y . after), which costs less than two products.
    jacobian[:, 0, :3] = after * (turned @ direction)[:, None]
    jacobian[:, 0, :3] -= np.einsum("nk,nk->n", turned, after)[:, None] * direction
    jacobian[:, 0, 3:] = cross(turned, after) @ tangent_basis(direction)
    jacobian *= inverse[:, None, None]
    # A wrong match that lies on its line by chance, or one beside the epipole, seems to fix the
    # direction better than all others: the lever of each match is bounded (Mallows 1975).
    lever = np.hypot(jacobian[:, 0, 3], jacobian[:, 0, 4])
    usual = np.partition(lever, len(lever) // 2)[len(lever) // 2]
    bound = np.minimum(1.0, _MOST_LEVER * usual / np.maximum(lever, 1e-12))
    return Residuals((value * bound)[:, None], jacobian * bound[:, None, None])


def _facing(motion: _Motion, before: NDArray[np.float64], after: NDArray[np.float64]) -> _Motion:
    """Choose the sign of the direction, open in epipolar lines: points lie before the camera."""
    rotation, direction = motion
    opposite = _in_front(before, after, rotation, -direction)
    return (rotation, -direction) if opposite > _in_front(before, after, *motion) else motion


def _in_front(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    rotation: NDArray[np.float64],
    direction: NDArray[np.float64],
) -> int:
    """How many points lie before both cameras."""
    turned = before @ rotation.T
    normal = cross(after, turned)
    # Signs of the depths in the reference and in the current camera.
    ahead = -np.einsum("nk,nk->n", normal, cross(after, direction)) > 0
    ahead &= -np.einsum("nk,nk->n", normal, cross(turned, direction)) > 0
    return int(np.count_nonzero(ahead))
