"""The motion of one camera with the length that points known before give it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.odometry.camera_rays import rays_of
from coarse_loftr_ros.odometry.depths import LEAST_COMPARED, Depths, compare
from coarse_loftr_ros.odometry.landmark_motion import (
    LandmarkCamera,
    Landmarks,
    MotionFit,
    refine_motion,
)
from coarse_loftr_ros.odometry.observations import TemporalMatches
from coarse_loftr_ros.odometry.scale import LogLength
from coarse_loftr_ros.odometry.two_views import triangulate
from coarse_loftr_ros.odometry.view_models import ViewModel

__all__ = ["SizedMotion", "View", "size_motion"]

# Known points from which on they are adjusted together with the motion, and the share of all
# points that must agree then.
_LEAST_LANDMARKS = 20
_LEAST_AGREEING = 0.6
# Standard deviation of the logarithm of a distance that is left open.
_OPEN_SHARE = 3.0
# A length known worse than this share is not compared with what measures it.
_MOST_LENGTH_SIGMA = 0.5


@dataclass(frozen=True, eq=False)
class View:
    """The matches of two images that agree with a model.

    Attributes:
        temporal: all matches.
        reference: float64 [N, 2], of those that agree, px.
        current: float64 [N, 2], px.
        camera: of both images.
        model: the model.
        known: depths of the reference's points from before.
        landmarks: how many of them are known well enough.
    """

    temporal: TemporalMatches
    reference: NDArray[np.float64]
    current: NDArray[np.float64]
    camera: Intrinsics
    model: ViewModel
    known: Depths | None
    landmarks: int

    def triangulated(self, into_current: Pose) -> Depths:
        """The points' depths by this match alone, given the motion."""
        inverse, by_noise = triangulate(
            self.reference,
            self.current,
            self.camera,
            into_current.rotation,
            into_current.translation,
        )
        return Depths(self.reference, inverse, by_noise * (self.model.sigma_px / self.camera.fx))

    def seen_from_current(self, depths: Depths, into_current: Pose) -> Depths:
        """Depths of the reference's points, from the current camera."""
        rays = rays_of(depths.pixels, self.camera)
        return depths.seen_from(rays, into_current, self.current)


@dataclass(frozen=True, eq=False)
class SizedMotion:
    """A motion with what is known of its length.

    Attributes:
        into_current: the reference camera in the current one.
        covariance: float64 [6, 6] of it, along the axes of the current camera.
        length: of the translation; ``None`` when it is arbitrary, or no longer than its error.
        has_length: whether the length of the translation is known, be it about zero.
    """

    into_current: Pose
    covariance: NDArray[np.float64]
    length: LogLength | None
    has_length: bool

    @property
    def shape_covariance(self) -> NDArray[np.float64]:
        """Covariance [6, 6] over the square of the length, of all but the length."""
        translation = self.into_current.translation
        square = float(translation @ translation)
        carry = np.eye(6)
        carry[:3, :3] -= np.outer(translation, translation) / square
        return carry @ self.covariance @ carry.T / square

    def with_length(self, length: LogLength) -> SizedMotion:
        """The same motion with another length, whose uncertainty replaces that of this one."""
        translation = self.into_current.translation
        before = float(np.linalg.norm(translation))
        along = translation / before
        carry = np.eye(6)
        carry[:3, :3] = (length.length / before) * (np.eye(3) - np.outer(along, along))
        covariance = carry @ self.covariance @ carry.T
        covariance[:3, :3] += length.variance * length.length**2 * np.outer(along, along)
        pose = Pose(self.into_current.rotation, length.length * along)
        return SizedMotion(pose, covariance, length, True)


def size_motion(view: View, guess: NDArray[np.float64], threshold_px: float) -> SizedMotion | None:
    """The motion, with the length by earlier depths; ``None`` when nothing shows a translation.

    With enough known points all points are adjusted together: known ones determine the
    whole motion, others (whose distance along the ray is left open) hold their epipolar line.

    Args:
        view: the matches, their model and what was known of them.
        guess: float64 [3], the translation of the reference camera in the current one if the last
            motion goes on.
        threshold_px: largest error of an inlier.
    """
    model, length = view.model, None
    start = Pose(model.rotation, guess)
    if model.direction is not None and view.landmarks >= LEAST_COMPARED:
        unit = Pose(model.rotation, model.direction)
        length = compare(view.known, view.triangulated(unit))
        if length is not None:
            start = Pose(model.rotation, length.length * model.direction)
    if view.landmarks >= _LEAST_LANDMARKS:
        fit = _fit_of_landmarks(view, start, length is not None, threshold_px)
        if fit is not None:
            return SizedMotion(fit.into_current, fit.covariance, _length_of(fit), True)
    if model.direction is None:
        return None
    sized = SizedMotion(Pose(model.rotation, model.direction), model.unit_covariance, None, False)
    return sized if length is None else sized.with_length(length)


def _fit_of_landmarks(
    view: View, start: Pose, others: bool, threshold_px: float
) -> MotionFit | None:
    """The motion by points of known depth, and by the others where their lines are known."""
    sure = view.known.sure
    depth, share = np.full(len(sure), np.nan), np.full(len(sure), _OPEN_SHARE)
    depth[sure] = 1.0 / view.known.inverse[sure]
    share[sure] = view.known.sigma[sure] * depth[sure]
    if others:
        inverse = view.triangulated(start).inverse
        open_end = ~sure & (inverse > 0)
        depth[open_end] = 1.0 / inverse[open_end]
    used = np.isfinite(depth)
    points = rays_of(view.reference[used], view.camera) * depth[used, None]
    none = np.full(len(points), np.nan)
    landmarks = Landmarks(points, share[used], view.current[used], none)
    camera = LandmarkCamera(view.camera, 0.0, view.model.sigma_px, 1.0)
    fit = refine_motion(camera, landmarks, start, threshold_px, view.known.inherited)
    if fit is None:
        return None
    agree = camera.errors_px(landmarks, fit.into_current) <= threshold_px
    return fit if np.mean(agree) >= _LEAST_AGREEING else None


def _length_of(fit: MotionFit) -> LogLength | None:
    """Length of a translation; ``None`` when it is hardly longer than its error."""
    translation = fit.into_current.translation
    square = float(translation @ translation)
    if square == 0.0:
        return None
    variance = float(translation @ fit.covariance[:3, :3] @ translation) / square**2
    if variance > _MOST_LENGTH_SIGMA**2:
        return None
    return LogLength(0.5 * float(np.log(square)), variance)
