"""Metric odometry of a rectified stereo camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, inverse_covariance, log_rotation
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.assessment import assess
from coarse_loftr_ros.odometry.camera_rays import rays_of
from coarse_loftr_ros.odometry.estimate import Scale
from coarse_loftr_ros.odometry.history import History
from coarse_loftr_ros.odometry.integration import IntegratedOdometry, Motion, Prediction
from coarse_loftr_ros.odometry.landmark_motion import (
    LandmarkCamera,
    Landmarks,
    MotionFit,
    refine_motion,
)
from coarse_loftr_ros.odometry.least_squares import INLIER_SIGMAS
from coarse_loftr_ros.odometry.linking import nearest_points
from coarse_loftr_ros.odometry.observations import StereoMatches, StereoRig, TemporalMatches
from coarse_loftr_ros.odometry.settings import StereoSettings
from coarse_loftr_ros.odometry.window import Corners, StereoWindow, TrackedPoints

__all__ = ["StereoOdometry"]

# A corner of the current image this near a tracked point is the same surface point, px.
_SAME_POINT_PX = 1.0
# A prediction that this share of the landmarks agrees with needs no random samples.
_TRUSTED_SHARE = 0.7
# A window that moves the current image further than the motion's covariance allows is wrong: the
# 99.9 % quantile of the chi-squared distribution with 6 degrees of freedom.
_MOST_CORRECTION = 22.46


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A motion between two cameras, one of which has the landmarks.

    Attributes:
        fit: the motion.
        agree: which landmarks agree with it, bool [N].
        status: OK or DEGRADED.
        reason: the status in words.
    """

    fit: MotionFit
    agree: NDArray[np.bool_]
    status: Status
    reason: str


class StereoOdometry(IntegratedOdometry):
    """Triangulates at the reference, and finds the camera that sees these points now.

    A point's distance comes from its disparity at the reference; the motion minimises the
    reprojection error in the current left image, and the disparity error where the current
    stereo matches have the point too. Robust start: AP3P (Ke and Roumeliotis 2017) in RANSAC as
    OpenCV has it, unless the prediction explains the points already.

    A reference of which no stereo matches were received (odometry began in the middle of a
    keyframe, or a message was lost) is found from the current image: points are triangulated
    there, where they are corners of the current stereo matches too, and the motion is DEGRADED.

    With ``settings.window`` the latest images are adjusted together (``StereoWindow``) whenever
    the reference is a new one. The pose that is answered is that of the motion; the correction
    enters with the image after, and the covariance stays that of the motions.

    Args:
        rig: the rectified cameras.
        settings: thresholds and noise.
    """

    def __init__(self, rig: StereoRig, settings: StereoSettings | None = None) -> None:
        self.rig = rig
        self.settings = settings or StereoSettings()
        super().__init__(self.settings)
        self._seen: History[Corners] = History()
        # Why an image has no landmarks, where that is not because it sees nothing near.
        self._warnings: History[str] = History()
        self._camera = LandmarkCamera(
            rig.left,
            rig.depth_factor,
            self.settings.pixel_sigma_px,
            self.settings.disparity_sigma_px,
        )
        length = self.settings.window
        self._window = (
            StereoWindow(self._camera, length, self.settings.min_inliers) if length else None
        )
        self._tracked: TrackedPoints | None = None

    def landmarks(self, stamp: int) -> NDArray[np.float64] | None:
        """The points that both cameras see at one image.

        Args:
            stamp: of an image that is remembered, as the current one is, nanoseconds.

        Returns:
            float64 [N, 3] in the left camera's optical frame, metres, of the stereo matches with a
            disparity of at least ``min_disparity_px``; ``None`` when the image had no stereo
            matches.
        """
        seen = self._seen.get(stamp)
        return None if seen is None else self._triangulated(seen.left, seen.disparity)

    def _observe(self, stamp: int, stereo: StereoMatches | None, matched: bool) -> None:
        if stereo is None:
            return
        disparity = self.rig.disparity(stereo)
        least = self.settings.min_disparity_px
        near = disparity >= least
        negative = int(np.count_nonzero(disparity <= -least))
        if len(stereo) == 0:
            self._warnings[stamp] = (
                "no point was matched with the right image: is it covered, are left and right "
                "swapped, or are the images not rectified?"
            )
        elif 2 * negative > len(stereo):
            self._warnings[stamp] = (
                f"{negative} of {len(stereo)} disparities are negative: left and right look swapped"
            )
        self._seen[stamp] = Corners(
            stereo.track_id[near], stereo.left_points[near].astype(np.float64), disparity[near]
        )

    def _forget(self, reference_stamp: int | None) -> None:
        if reference_stamp is None:
            self._seen.clear()
            self._warnings.clear()
            if self._window is not None:
                self._window.clear()
        else:
            self._seen.forget_before(reference_stamp)
            self._warnings.forget_before(reference_stamp)

    def _measure(self, temporal: TemporalMatches, prediction: Prediction) -> Motion:
        known = self._seen.get(temporal.reference_stamp)
        if known is None:
            return self._measure_from_current(temporal, prediction)
        landmarks, of = self._landmarks(temporal, known)
        fitted = self._fit(landmarks, prediction.predicted.inverse)
        if isinstance(fitted, Motion):
            warning = self._warnings.get(temporal.reference_stamp)
            return replace(fitted, reason=f"{fitted.reason}: {warning}") if warning else fitted
        into_current = fitted.fit.into_current
        if self._window is not None:
            self._tracked = self._agreeing(landmarks, known, of, fitted.agree, into_current)
        covariance = inverse_covariance(into_current, fitted.fit.covariance)
        return self._motion(fitted, into_current.inverse, covariance)

    def _measure_from_current(self, temporal: TemporalMatches, prediction: Prediction) -> Motion:
        """The motion by points that the current stereo matches triangulate."""
        now = self._seen.get(temporal.stamp)
        if now is None:
            return Motion.lost("the reference has no stereo matches, nor has the current image")
        pixels = temporal.current_points.astype(np.float64)
        near = nearest_points(pixels, now.left, _SAME_POINT_PX)
        at = np.flatnonzero(near >= 0)
        disparity = now.disparity[near[at]]
        landmarks = Landmarks(
            self._triangulated(pixels[at], disparity),
            self.settings.disparity_sigma_px / disparity,
            temporal.reference_points[at].astype(np.float64),
            np.full(len(at), np.nan),
        )
        # Here the reference's is the camera that sees the landmarks.
        fitted = self._fit(landmarks, prediction.predicted)
        if isinstance(fitted, Motion):
            return fitted
        warning = "the reference has no stereo matches: distances are those of the current image"
        motion = self._motion(fitted, fitted.fit.into_current, fitted.fit.covariance)
        reason = f"{warning}; {motion.reason}" if motion.reason else warning
        return replace(motion, status=Status.DEGRADED, reason=reason)

    def _fit(self, landmarks: Landmarks, predicted: Pose) -> _Fitted | Motion:
        """The motion that these landmarks show, or a LOST one.

        Args:
            landmarks: in one camera, and their pixels in the other.
            predicted: a guess of the first camera in the other one.
        """
        settings, count = self.settings, len(landmarks.sigma)
        if count < settings.min_inliers:
            return Motion.lost(f"{count} landmarks, fewer than {settings.min_inliers}", count)
        start = self._start_of(landmarks, predicted)
        fit = (
            None
            if start is None
            else refine_motion(self._camera, landmarks, start, settings.threshold_px)
        )
        if fit is None:
            return Motion.lost(f"no motion fits {count} landmarks", count)
        agree = self._camera.errors_px(landmarks, fit.into_current) <= settings.threshold_px
        inliers = int(np.count_nonzero(agree))
        status, reason = assess(inliers, count, settings)
        if status == Status.LOST:
            return Motion.lost(reason, count, inliers)
        return _Fitted(fit, agree, status, reason)

    def _motion(self, fitted: _Fitted, pose: Pose, covariance: NDArray[np.float64]) -> Motion:
        """The motion of the current camera in the reference camera."""
        covariance = covariance * self.settings.covariance_scale
        landmarks, inliers = len(fitted.agree), int(np.count_nonzero(fitted.agree))
        return Motion(
            pose, covariance, fitted.status, fitted.reason, Scale.METRIC, landmarks, inliers
        )

    def _refined(self, stamp: int, reference_stamp: int, motion: Motion) -> dict[int, Pose]:
        window, tracked, self._tracked = self._window, self._tracked, None
        if window is None:
            return {}
        if tracked is None:
            window.clear()
            return {}
        reference = self._states.get(reference_stamp).pose
        current = reference @ motion.pose
        renewed = window.add(
            stamp, current, reference_stamp, reference, tracked, self._seen.get(stamp)
        )
        poses = window.adjusted() if renewed else {}
        if poses and not _within(motion, poses[reference_stamp].inverse @ poses[stamp]):
            window.clear()
            return {}
        return poses

    def _agreeing(
        self,
        landmarks: Landmarks,
        known: Corners,
        of: NDArray[np.int64],
        agree: NDArray[np.bool_],
        into_current: Pose,
    ) -> TrackedPoints:
        """The landmarks that agree with a motion, which are the corners ``of``."""
        of = of[agree]
        depth = into_current.apply(landmarks.points[agree])[:, 2]
        expected = self.rig.depth_factor / depth
        # A disparity is measured anew with the same noise.
        most = INLIER_SIGMAS * np.sqrt(2.0) * self.settings.disparity_sigma_px
        measured = landmarks.current_disparity[agree]
        measured = np.where(np.abs(measured - expected) <= most, measured, np.nan)
        corners = Corners(known.track_id[of], known.left[of], known.disparity[of])
        return TrackedPoints(corners, landmarks.pixels[agree], measured, expected)

    def _landmarks(
        self, temporal: TemporalMatches, known: Corners
    ) -> tuple[Landmarks, NDArray[np.int64]]:
        """The matches whose reference point has a disparity, and which corners those are."""
        _, at, of = np.intersect1d(temporal.track_id, known.track_id, return_indices=True)
        disparity = known.disparity[of]
        points = self._triangulated(known.left[of], disparity)
        pixels = temporal.current_points[at].astype(np.float64)
        current = np.full(len(at), np.nan)
        now = self._seen.get(temporal.stamp)
        if now is not None:
            same = nearest_points(pixels, now.left, _SAME_POINT_PX)
            current[same >= 0] = now.disparity[same[same >= 0]]
        sigma = self.settings.disparity_sigma_px / disparity
        return Landmarks(points, sigma, pixels, current), of

    def _triangulated(
        self, pixels: NDArray[np.float64], disparity: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Points [N, 3] in the left camera, metres."""
        return rays_of(pixels, self.rig.left) * (self.rig.depth_factor / disparity)[:, None]

    def _start_of(self, landmarks: Landmarks, predicted: Pose) -> Pose | None:
        """A motion that many landmarks agree with: the predicted one, or one from samples."""
        errors = self._camera.errors_px(landmarks, predicted)
        if np.mean(errors <= 2.0 * self.settings.threshold_px) >= _TRUSTED_SHARE:
            return predicted
        found, turn, translation, _ = cv2.solvePnPRansac(
            landmarks.points,
            landmarks.pixels,
            self.rig.left.matrix(),
            None,
            iterationsCount=300,
            reprojectionError=2.0 * self.settings.threshold_px,
            confidence=0.999,
            flags=cv2.SOLVEPNP_AP3P,
        )
        if not found or not np.isfinite(turn).all() or not np.isfinite(translation).all():
            return None
        return Pose(cv2.Rodrigues(turn)[0], translation[:, 0])


def _within(motion: Motion, corrected: Pose) -> bool:
    """Whether a correction of a motion is one that its covariance allows."""
    moved = corrected.translation - motion.pose.translation
    error = np.concatenate([moved, log_rotation(corrected.rotation @ motion.pose.rotation.T)])
    return bool(error @ np.linalg.solve(motion.covariance, error) <= _MOST_CORRECTION)
