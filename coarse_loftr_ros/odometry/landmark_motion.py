"""The motion of a camera that sees points of known distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, exp_rotation
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.odometry.camera_rays import cross
from coarse_loftr_ros.odometry.least_squares import (
    INLIER_SIGMAS,
    SHARED_PX,
    Residuals,
    fit_robustly,
    weights,
)

__all__ = ["LandmarkCamera", "Landmarks", "MotionFit", "refine_motion"]

# No match tracks a point until it is this near, as a share of its depth at the reference.
_LEAST_DEPTH_SHARE = 0.05
_BEHIND_PX = 1e9  # error of a point behind the camera
_UNKNOWN_SIGMA_PX = 1e6  # of a disparity that was not measured
# What neighbouring matches are wrong by together where the image is stretched, px per unit of the
# logarithm of the stretch: the patches that are compared are of another size then.
_SHARED_STRETCH_PX = 0.3


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Points of known distance, and where the current image has them.

    Attributes:
        points: float64 [N, 3], in the reference camera, metres.
        sigma: float64 [N], standard deviation of the logarithm of their distance.
        pixels: float64 [N, 2], in the current left image.
        current_disparity: float64 [N], in the current pair, px; NaN where it is not known.
    """

    points: NDArray[np.float64]
    sigma: NDArray[np.float64]
    pixels: NDArray[np.float64]
    current_disparity: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MotionFit:
    """A refined motion.

    Attributes:
        into_current: the reference camera in the current one.
        covariance: float64 [6, 6] of ``into_current`` (translation, then rotation), along the axes
            of the current camera.
    """

    into_current: Pose
    covariance: NDArray[np.float64]


@dataclass(frozen=True)
class LandmarkCamera:
    """Projection of a camera, or of a rectified pair, and its noise.

    Attributes:
        left: intrinsics.
        depth_factor: depth times disparity, metres times px; 0 of one camera.
        pixel_sigma: of a point tracked in time, px.
        disparity_sigma: of a disparity, px.
    """

    left: Intrinsics
    depth_factor: float
    pixel_sigma: float
    disparity_sigma: float

    def errors_px(self, landmarks: Landmarks, into_current: Pose) -> NDArray[np.float64]:
        """Distances [N] of projected from measured pixels, px; infinite behind the camera.

        They are Mahalanobis distances in units of the noise of a pixel: what an error of the
        point's distance may have done (along its epipolar line) counts accordingly less.
        """
        residual, _, sensitivity = self._project(landmarks, into_current)
        residual, spread = residual[:, :2], sensitivity[:, :2] / self.pixel_sigma
        along = np.einsum("nk,nk->n", residual, spread)
        square = np.einsum("nk,nk->n", residual, residual)
        square -= along**2 / (1.0 + np.einsum("nk,nk->n", spread, spread))
        return np.sqrt(np.maximum(square, 0.0))

    def residuals(self, landmarks: Landmarks, into_current: Pose) -> Residuals:
        """Residuals (x, y and, of a pair, disparity) of all landmarks, whitened.

        An error of its distance moves a point along its ray, and with it all three residuals
        alike. Their covariance is thus ``D + s s^T``, ``D`` diagonal, and its inverse square root
        is known in closed form: far points determine the rotation, near ones the translation, and
        one of quite unknown distance its epipolar line, without a threshold.
        """
        residual, jacobian, sensitivity = self._project(landmarks, into_current)
        sigma = np.full(residual.shape, self.pixel_sigma)
        if self.depth_factor > 0.0:
            known = np.isfinite(landmarks.current_disparity)
            sigma[:, 2] = np.where(known, self.disparity_sigma, _UNKNOWN_SIGMA_PX)
            residual[:, 2][~known] = 0.0
        spread = sensitivity / sigma
        square = np.einsum("nk,nk->n", spread, spread)
        factor = (1.0 - 1.0 / np.sqrt(1.0 + square)) / np.maximum(square, 1e-300)
        residual /= sigma
        jacobian /= sigma[:, :, None]
        along = np.einsum("nk,nk->n", spread, residual)
        residual -= (factor * along)[:, None] * spread
        moved = np.einsum("nk,nkp->np", spread, jacobian)
        jacobian -= (factor[:, None] * spread)[:, :, None] * moved[:, None, :]
        return Residuals(residual, jacobian)

    def along_lines(
        self, landmarks: Landmarks, into_current: Pose, jacobian: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The part [N, 6] of a Jacobian of ``residuals`` along epipolar lines."""
        _, _, along = self._project(landmarks, into_current)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-300)
        return np.einsum("nk,nkp->np", along, jacobian)

    def _project(
        self, landmarks: Landmarks, into_current: Pose
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Residuals [N, K] in px, their Jacobian [N, K, 6] by the motion, and sensitivities.

        The sensitivities [N, K] are what one standard deviation of the distance does to them.
        ``K`` is 3 of a rectified pair, and 2 of one camera, which has no disparity.
        """
        parts = 3 if self.depth_factor > 0.0 else 2
        turned = landmarks.points @ into_current.rotation.T
        points = turned + into_current.translation
        ahead = points[:, 2] > _LEAST_DEPTH_SHARE * landmarks.points[:, 2]
        inverse = 1.0 / np.where(ahead, points[:, 2], 1.0)
        x, y = points[:, 0] * inverse, points[:, 1] * inverse
        left = self.left
        residual = np.empty((len(points), parts))
        residual[:, 0] = left.fx * x + left.cx - landmarks.pixels[:, 0]
        residual[:, 1] = left.fy * y + left.cy - landmarks.pixels[:, 1]
        jacobian = np.zeros((len(points), parts, 6))
        by_x, by_y = left.fx * inverse, left.fy * inverse
        jacobian[:, 0, 0], jacobian[:, 0, 2] = by_x, -by_x * x
        jacobian[:, 1, 1], jacobian[:, 1, 2] = by_y, -by_y * y
        if parts == 3:
            seen = self.depth_factor * inverse
            residual[:, 2] = seen - landmarks.current_disparity
            jacobian[:, 2, 2] = -seen * inverse
        # A rotation e moves a point by e x p; p is counted without the translation.
        jacobian[:, :, 3:] = cross(turned[:, None, :], jacobian[:, :, :3])
        along = turned * landmarks.sigma[:, None]
        sensitivity = np.einsum("nkc,nc->nk", jacobian[:, :, :3], along)
        residual[~ahead], jacobian[~ahead], sensitivity[~ahead] = _BEHIND_PX, 0.0, 0.0
        return residual, jacobian, sensitivity


def refine_motion(
    camera: LandmarkCamera,
    landmarks: Landmarks,
    start: Pose,
    threshold_px: float,
    inherited: NDArray[np.float64] | None = None,
) -> MotionFit | None:
    """The motion of least reprojection error.

    Where distances were triangulated by a motion before, that motion's error is in all of them,
    and a motion that is found by them repeats it, as far as it is they that determine it:
    ``H^-1 B`` times, with the information ``H`` of all matches and ``B`` of what lies along
    epipolar lines.

    Args:
        camera: projection and noise.
        landmarks: at least four.
        start: a guess of the reference camera in the current one.
        threshold_px: largest error of an inlier.
        inherited: covariance [6, 6] of the motion that gave the distances, over the square of its
            length; ``None`` where a calibrated pair did.

    Returns:
        The motion, or ``None`` when the landmarks leave it open.
    """

    def step(pose: Pose, delta: NDArray[np.float64]) -> Pose:
        # Errors of translation and rotation apart, both along the current camera's axes.
        return Pose(exp_rotation(delta[3:]) @ pose.rotation, pose.translation + delta[:3])

    fit = fit_robustly(
        start,
        lambda pose: camera.residuals(landmarks, pose),
        step,
        places=landmarks.pixels,
        shared=_shared_px(landmarks, start) / camera.pixel_sigma,
        sigma_ceiling=threshold_px / INLIER_SIGMAS / camera.pixel_sigma,
    )
    if fit is None:
        return None
    covariance = fit.covariance
    if inherited is not None:
        weight, jacobian = weights(fit), fit.residuals.jacobian
        lines = camera.along_lines(landmarks, fit.state, jacobian)
        by_lines = (lines * weight[:, None]).T @ lines
        every = np.einsum("n,nkp,nkq->pq", weight, jacobian, jacobian, optimize=True)
        share = np.linalg.solve(every, by_lines)
        square = float(fit.state.translation @ fit.state.translation)
        covariance = covariance + square * share @ inherited @ share.T
    return MotionFit(fit.state, covariance)


def _shared_px(landmarks: Landmarks, into_current: Pose) -> NDArray[np.float64]:
    """What each match is wrong by together with its neighbours [N], px.

    A point that comes nearer by a share is seen larger by it.
    """
    before, now = landmarks.points[:, 2], into_current.apply(landmarks.points)[:, 2]
    stretch = np.log(np.maximum(now, _LEAST_DEPTH_SHARE * before) / before)
    return np.hypot(SHARED_PX, _SHARED_STRETCH_PX * np.minimum(np.abs(stretch), 1.0))
