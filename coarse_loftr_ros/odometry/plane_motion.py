"""The motion of a camera from the homography of a plane.

A point ``x`` on the plane ``normal . x = distance`` of the reference camera is at
``rotation @ x + shift * (normal . x)`` in the current one: ``shift`` is the translation over the
distance, and the homography of rays is ``rotation + shift normal^T``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import exp_rotation, nearest_rotation, skew
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
    Residuals,
    fit_robustly,
)

__all__ = [
    "PlaneMotion",
    "PlanePrior",
    "decompose",
    "motion_of_homography",
    "plane_distances",
    "ray_homography",
    "refine_plane_motion",
]


@dataclass(frozen=True, eq=False)
class PlaneMotion:
    """A motion over a plane.

    Attributes:
        rotation: float64 [3, 3], from the reference camera to the current one.
        shift: float64 [3], the translation over the distance of the plane at the reference.
        normal: unit vector, float64 [3], of the plane, away from the reference camera.
        covariance: float64 [8, 8]: rotation along the current camera's axes, shift, and normal
            along the columns of ``tangent_basis(normal)``; zero where it is not known yet.
    """

    rotation: NDArray[np.float64]
    shift: NDArray[np.float64]
    normal: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @property
    def altitude_ratio(self) -> float:
        """Distance of the plane from the current camera over that from the reference camera."""
        return float(1.0 + self.normal @ (self.rotation.T @ self.shift))


@dataclass(frozen=True, eq=False)
class PlanePrior:
    """What is known of the plane before the images are compared.

    Attributes:
        normal: unit vector, float64 [3], in the reference camera.
        covariance: float64 [2, 2], rad^2, along the columns of ``tangent_basis(normal)``.
        floor_sigma: when the camera rides on the plane: standard deviation of its tilt (rad) and
            of its relative change of distance; ``None`` when it moves freely.
    """

    normal: NDArray[np.float64]
    covariance: NDArray[np.float64]
    floor_sigma: float | None = None


def ray_homography(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    threshold_px: float,
    most_samples: int = 500,
) -> NDArray[np.float64] | None:
    """The homography [3, 3] of rays, good enough for a start; ``None`` when there is none.

    Args:
        reference: float64 [N, 2], px.
        current: float64 [N, 2], px.
        camera: of both.
        threshold_px: largest transfer error of an inlier.
        most_samples: tries; 500 find a plane that two of five matches follow.
    """
    if len(reference) < 8:
        return None
    matrix, _ = cv2.findHomography(
        reference, current, cv2.USAC_FAST, threshold_px, maxIters=most_samples, confidence=0.999
    )
    if matrix is None or not np.isfinite(matrix).all():
        return None
    pixels = camera.matrix()
    rays = np.linalg.inv(pixels) @ matrix @ pixels
    middle = float(np.linalg.svd(rays, compute_uv=False)[1])
    if middle < 1e-9:
        return None
    # Scaled to rotation + shift normal^T (Malis and Vargas 2007); the plane is in front of both.
    sign = 1.0 if np.linalg.det(rays) > 0 else -1.0
    return sign * rays / middle


def decompose(homography: NDArray[np.float64], rays: NDArray[np.float64]) -> list[PlaneMotion]:
    """All motions (at most two) of a homography of rays that see the plane.

    E. Malis and M. Vargas, "Deeper understanding of the homography decomposition for
    vision-based control", INRIA RR-6303, 2007, as OpenCV has it.

    Args:
        homography: float64 [3, 3], of rays.
        rays: float64 [N, 3], of points on the plane in the reference camera.
    """
    _, rotations, shifts, normals = cv2.decomposeHomographyMat(homography, np.eye(3))
    motions = []
    for rotation, shift, normal in zip(rotations, shifts, normals, strict=True):
        shift, normal = shift[:, 0], normal[:, 0]
        if not (np.isfinite(rotation).all() and np.isfinite(shift).all()):
            continue
        if np.median(rays @ normal) > 0:
            motions.append(PlaneMotion(nearest_rotation(rotation), shift, normal, np.zeros((8, 8))))
    return motions


def motion_of_homography(
    homography: NDArray[np.float64], normal: NDArray[np.float64]
) -> PlaneMotion:
    """The motion of a homography of rays over a plane of known normal."""
    along = tangent_basis(normal)
    moved = homography @ along
    length = np.sqrt(np.linalg.norm(moved[:, 0]) * np.linalg.norm(moved[:, 1]))
    u, _, v = np.linalg.svd(moved / length, full_matrices=False)
    # The nearest pair of square unit vectors, and their cross product for the normal.
    turned = u @ v
    third = cross(turned[:, 0], turned[:, 1])
    rotation = np.column_stack([turned, third]) @ np.column_stack([along, normal]).T
    shift = homography @ normal / length - rotation @ normal
    return PlaneMotion(rotation, shift, normal, np.zeros((8, 8)))


def refine_plane_motion(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    start: PlaneMotion,
    prior: PlanePrior | None = None,
    sigma_px: float = 1.0,
    threshold_px: float = np.inf,
) -> PlaneMotion | None:
    """The motion of least transfer error.

    Args:
        reference: float64 [N, 2], px.
        current: float64 [N, 2], px.
        camera: of both.
        start: a motion near.
        prior: of the plane. Without motion the images do not determine it.
        sigma_px: standard deviation of a match; only its ratio to the prior matters.
        threshold_px: largest error of an inlier.

    Returns:
        The motion, or ``None`` when the matches leave it open.
    """
    before = rays_of(reference, camera)

    def step(motion: PlaneMotion, delta: NDArray[np.float64]) -> PlaneMotion:
        normal = motion.normal + tangent_basis(motion.normal) @ delta[6:]
        return PlaneMotion(
            exp_rotation(delta[:3]) @ motion.rotation,
            motion.shift + delta[3:6],
            normal / np.linalg.norm(normal),
            motion.covariance,
        )

    def residuals(motion: PlaneMotion) -> Residuals:
        turned = before @ motion.rotation.T
        height = before @ motion.normal
        moved = turned + height[:, None] * motion.shift
        moved[:, 2] = np.maximum(moved[:, 2], 1e-3)
        by_point = pixel_jacobian(moved, camera) / sigma_px
        jacobian = np.empty((len(before), 2, 8))
        jacobian[:, :, :3] = cross(turned[:, None, :], by_point)
        jacobian[:, :, 3:6] = by_point * height[:, None, None]
        tilt = before @ tangent_basis(motion.normal)
        jacobian[:, :, 6:] = (by_point @ motion.shift)[:, :, None] * tilt[:, None, :]
        value = (project(moved, camera) - current) / sigma_px
        return Residuals(value, jacobian, *_prior_terms(motion, prior))

    ceiling = threshold_px / INLIER_SIGMAS / sigma_px
    fit = fit_robustly(
        start, residuals, step, places=current, shared=SHARED_PX / sigma_px, sigma_ceiling=ceiling
    )
    if fit is None:
        return None
    state = fit.state
    return PlaneMotion(state.rotation, state.shift, state.normal, fit.covariance)


def plane_distances(
    reference: NDArray[np.float64],
    current: NDArray[np.float64],
    camera: Intrinsics,
    motion: PlaneMotion,
) -> NDArray[np.float64]:
    """Transfer errors [N] in the current image, px."""
    homography = motion.rotation + np.outer(motion.shift, motion.normal)
    offset = project(rays_of(reference, camera) @ homography.T, camera) - current
    return np.hypot(offset[:, 0], offset[:, 1])


def _prior_terms(
    motion: PlaneMotion, prior: PlanePrior | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Information [8, 8] and gradient [8] of the prior at a motion."""
    if prior is None:
        return None, None
    information, gradient = np.zeros((8, 8)), np.zeros(8)
    basis = tangent_basis(motion.normal)
    turn = tangent_basis(prior.normal).T @ basis
    about = turn.T @ np.linalg.inv(prior.covariance + 1e-12 * np.eye(2)) @ turn
    information[6:, 6:] = about
    gradient[6:] = about @ (basis.T @ (motion.normal - prior.normal))
    if prior.floor_sigma is not None:
        rows, value = _floor_rows(motion, basis)
        information += rows.T @ rows / prior.floor_sigma**2
        gradient += rows.T @ value / prior.floor_sigma**2
    return information, gradient


def _floor_rows(
    motion: PlaneMotion, basis: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tilt (2) and relative change of distance (1) of a camera that rides on the plane."""
    turned = motion.rotation @ motion.normal
    rows, value = np.zeros((3, 8)), np.zeros(3)
    along = basis.T
    # The normal in the current camera is that in the reference camera.
    value[:2] = along @ (turned - motion.normal)
    rows[:2, :3] = -along @ skew(turned)
    rows[:2, 6:] = along @ (motion.rotation @ basis - basis)
    # turned . shift: a rotation e adds (e x turned) . shift, a tilt a adds (R B a) . shift.
    value[2] = turned @ motion.shift
    rows[2, :3] = cross(turned, motion.shift)
    rows[2, 3:6] = turned
    rows[2, 6:] = motion.shift @ motion.rotation @ basis
    return rows, value
