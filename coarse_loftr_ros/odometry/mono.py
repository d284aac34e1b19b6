"""Odometry of one camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, inverse_covariance
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.assessment import assess
from coarse_loftr_ros.odometry.camera_rays import rays_of
from coarse_loftr_ros.odometry.depths import Depths
from coarse_loftr_ros.odometry.estimate import Scale
from coarse_loftr_ros.odometry.ground import ground_height
from coarse_loftr_ros.odometry.history import History
from coarse_loftr_ros.odometry.integration import IntegratedOdometry, Motion, Prediction
from coarse_loftr_ros.odometry.observations import (
    StereoMatches,
    TemporalMatches,
    check_intrinsics,
)
from coarse_loftr_ros.odometry.scale import LogLength, fuse
from coarse_loftr_ros.odometry.settings import MonoSettings, ScaleSource, check_range
from coarse_loftr_ros.odometry.sized_motion import SizedMotion, View, size_motion
from coarse_loftr_ros.odometry.view_models import ViewModel, choose_model

__all__ = ["MonoOdometry"]

_SCALE_OF = {
    ScaleSource.UNIT: Scale.UNIT,
    ScaleSource.GROUND_PLANE: Scale.GROUND_PLANE,
    ScaleSource.EXTERNAL: Scale.EXTERNAL,
}
# Relative standard deviation of a length that is only taken over from the motion before.
_GUESSED_SHARE = 0.5


class MonoOdometry(IntegratedOdometry):
    """Takes rotation and direction from two views, and the length from elsewhere.

    Which model explains the matches (parallax, a plane, a turn alone) is chosen by ``gric``; after
    a turn alone the rotation is kept and no translation is invented. Depths of points that were
    triangulated before carry the length from motion to motion; the camera's height over the ground
    or an external speed correct it.

    Args:
        intrinsics: of the rectified camera.
        settings: thresholds and the source of the scale.
    """

    def __init__(self, intrinsics: Intrinsics, settings: MonoSettings | None = None) -> None:
        check_intrinsics(intrinsics)
        self.intrinsics = intrinsics
        self.settings = settings or MonoSettings()
        super().__init__(self.settings, metric=self.settings.scale is not ScaleSource.UNIT)
        self._depths: History[Depths] = History()
        self._plane_normal: NDArray[np.float64] | None = None
        self._speed: float | None = None
        self._has_unit = False
        down = np.asarray(self.settings.down, np.float64)
        self._down = down / np.linalg.norm(down)

    @property
    def external_speed(self) -> float | None:
        """Speed of the camera since the image before, m/s; it holds until it is set anew.

        Raises:
            ValueError: when it is set to a number that is negative or not finite.
        """
        return self._speed

    @external_speed.setter
    def external_speed(self, value: float | None) -> None:
        if value is not None:
            check_range("external_speed", value, 0.0)
        self._speed = value

    def _observe(self, stamp: int, stereo: StereoMatches | None, matched: bool) -> None:
        """One camera sees nothing in one image alone."""

    def _forget(self, reference_stamp: int | None) -> None:
        if reference_stamp is None:
            self._depths.clear()
            self._plane_normal = self._speed = None
            self._has_unit = False
        else:
            self._depths.forget_before(reference_stamp)

    def _measure(self, temporal: TemporalMatches, prediction: Prediction) -> Motion:
        settings, count = self.settings, len(temporal)
        if count < settings.min_inliers:
            return Motion.lost(f"{count} matches, fewer than {settings.min_inliers}", count)
        reference = temporal.reference_points.astype(np.float64)
        current = temporal.current_points.astype(np.float64)
        model = choose_model(
            reference,
            current,
            self.intrinsics,
            settings.threshold_px,
            prediction.predicted.inverse,
            self._plane_normal,
        )
        if model is None:
            return Motion.lost(f"no motion fits {count} matches", count)
        inlier = model.errors <= settings.threshold_px
        inliers = int(np.count_nonzero(inlier))
        status, reason = assess(inliers, count, settings)
        if status == Status.LOST:
            return Motion.lost(reason, count, inliers)
        self._plane_normal = None if model.normal is None else model.rotation @ model.normal
        warnings = [text for text in (reason, model.ambiguity) if text]
        view = self._view(temporal, reference[inlier], current[inlier], model)
        guess = prediction.predicted.inverse.translation
        sized = size_motion(view, guess, settings.threshold_px)
        # Where the wheels say that it stands, noise alone is no first motion.
        stands = settings.scale is ScaleSource.EXTERNAL and self._speed == 0.0
        if sized is None or (stands and not self._has_unit):
            return self._turned(view, warnings)
        return self._moved(view, sized, warnings, prediction)

    def _view(
        self,
        temporal: TemporalMatches,
        reference: NDArray[np.float64],
        current: NDArray[np.float64],
        model: ViewModel,
    ) -> View:
        known = self._depths.get(temporal.reference_stamp)
        if known is not None:
            known = known.at(reference)
        landmarks = 0 if known is None else int(np.count_nonzero(known.sure))
        return View(temporal, reference, current, self.intrinsics, model, known, landmarks)

    def _turned(self, view: View, warnings: list[str]) -> Motion:
        """A turn alone: no translation is invented, but its size has a bound."""
        temporal, model = view.temporal, view.model
        covariance = self._unseen((temporal.stamp - temporal.reference_stamp) / 1e9)
        if view.landmarks:
            # A translation that shows no parallax is less than a pixel at the usual depth.
            usual = 1.0 / float(np.median(view.known.inverse[view.known.sure]))
            unseen = usual * model.sigma_px / self.intrinsics.fx
            covariance[:3, :3] = unseen**2 * np.eye(3)
        into_current = Pose(model.rotation, np.zeros(3))
        covariance[3:, 3:] = model.covariance[:3, :3]
        if view.known is not None:
            self._depths[temporal.stamp] = view.seen_from_current(view.known, into_current)
        warnings = [*warnings, "no parallax: rotation alone is known"]
        return self._motion(view, into_current, covariance, Scale.NONE, warnings)

    def _moved(
        self, view: View, sized: SizedMotion, warnings: list[str], prediction: Prediction
    ) -> Motion:
        """A motion with a translation: settle its length, and remember depths."""
        source, compared = self.settings.scale, sized.length
        if compared is None and sized.has_length:
            # As good as no translation: it determines neither the unit nor depths.
            depths = view.seen_from_current(view.known, sized.into_current)
            self._depths[view.temporal.stamp] = depths
            return self._motion(view, sized.into_current, sized.covariance, self._scale, warnings)
        if compared is not None:
            variance = compared.variance + view.known.unit_variance
            compared = LogLength(compared.value, variance)
        known_length = compared or self._guessed_length(prediction)[0]
        measured = self._measured_length(view, sized, prediction, known_length)
        if measured is None and source is not ScaleSource.UNIT:
            warnings = [*warnings, f"scale {source.value}: length not measured"]
        if measured is not None and not self._metric:
            view = self._in_metres(view, known_length, measured)
            if compared is not None:
                compared, measured = measured, None
        length = fuse(compared, measured)
        if length is None:
            length, warning = self._guessed_length(prediction)
            warnings = [*warnings, warning] if warning else warnings
            if not self._has_unit:
                self._use_arbitrary_unit()
        self._has_unit = True
        # What the unit has become now, it was before.
        factor = None if compared is None else float(np.exp(length.value - compared.value))
        if source is ScaleSource.UNIT:
            sized = sized.with_length(length)
        else:
            # A wheel's radius, or the height of a camera over a road that slopes, is wrong in the
            # same way in each image: many measurements are no surer than one.
            surest = max(length.variance, self.settings.scale_sigma**2)
            sized = sized.with_length(LogLength(length.value, surest))
        self._remember(view, sized, factor, length.variance)
        return self._motion(view, sized.into_current, sized.covariance, self._scale, warnings)

    @property
    def _scale(self) -> Scale:
        """Where lengths come from now."""
        return _SCALE_OF[self.settings.scale] if self._metric else Scale.UNIT

    def _in_metres(self, view: View, in_unit: LogLength, in_metres: LogLength) -> View:
        """All lengths become metres, given one of them in the unit and in metres."""
        unit = LogLength(in_metres.value - in_unit.value, in_metres.variance + in_unit.variance)
        self._set_unit(unit)
        self._depths.change(lambda depths: depths.scaled(unit.length, unit.variance))
        if view.known is None:
            return view
        return replace(view, known=view.known.scaled(unit.length, unit.variance))

    def _guessed_length(self, prediction: Prediction) -> tuple[LogLength, str]:
        """The first motion is the unit; a later one goes on like the one before."""
        if not self._has_unit:
            known = self.settings.scale is ScaleSource.UNIT
            return LogLength.of(1.0), "" if known else "length not known yet"
        travelled = float(np.linalg.norm(prediction.predicted.translation))
        return (
            LogLength.of(travelled if travelled > 0.0 else 1.0, _GUESSED_SHARE),
            "no known points in common with before: length guessed",
        )

    def _measured_length(
        self, view: View, sized: SizedMotion, prediction: Prediction, in_unit: LogLength
    ) -> LogLength | None:
        """The length of the translation by a speed or by the ground, metres.

        Args:
            view: the matches.
            sized: the motion.
            prediction: where the image before was; in the unit of the path.
            in_unit: the length in that unit.
        """
        settings, pose = self.settings, sized.into_current
        length = None
        if settings.scale is ScaleSource.GROUND_PLANE:
            new = view.triangulated(pose)
            ahead = new.inverse > 0
            depth = 1.0 / new.inverse[ahead]
            points = rays_of(new.pixels[ahead], self.intrinsics) * depth[:, None]
            angle = np.deg2rad(settings.ground_angle_deg)
            height = ground_height(points, new.sigma[ahead] * depth, self._down, angle)
            if height is not None:
                length = settings.camera_height_m / height * np.linalg.norm(pose.translation)
        elif settings.scale is ScaleSource.EXTERNAL and self._speed:
            travelled = self._speed * prediction.seconds
            if self._metric:
                length = _length_to(travelled, pose, prediction.previous)
            else:
                moved = _moved_from(prediction.previous, pose, in_unit.length)
                length = in_unit.length * travelled / moved if moved > 0.0 else None
        return LogLength.of(float(length), settings.scale_sigma) if length else None

    def _remember(
        self, view: View, sized: SizedMotion, factor: float | None, unit_variance: float
    ) -> None:
        """Keep the depths of this motion's points, in the reference and in the current image.

        Args:
            view: the matches.
            sized: the motion.
            factor: of the depths from before; ``None`` when they are not in this motion's unit.
            unit_variance: of the logarithm of the unit.
        """
        into_current = sized.into_current
        depths = replace(
            view.triangulated(into_current),
            unit_variance=unit_variance,
            inherited=sized.shape_covariance,
        )
        if factor is not None:
            depths = view.known.scaled(factor, unit_variance).merged(depths)
        self._depths[view.temporal.stamp] = view.seen_from_current(depths, into_current)
        if factor is not None:
            known = self._depths.get(view.temporal.reference_stamp)
            depths = depths.joined(known.without(view.reference).scaled(factor, unit_variance))
        self._depths[view.temporal.reference_stamp] = depths

    def _motion(
        self,
        view: View,
        into_current: Pose,
        covariance: NDArray[np.float64],
        scale: Scale,
        warnings: list[str],
    ) -> Motion:
        covariance = inverse_covariance(into_current, covariance) * self.settings.covariance_scale
        return Motion(
            into_current.inverse,
            covariance,
            Status.DEGRADED if warnings else Status.OK,
            "; ".join(warnings),
            scale,
            view.landmarks,
            len(view.reference),
        )


def _moved_from(previous: Pose, into_current: Pose, length: float) -> float:
    """How far from the image before a translation of this length ends."""
    camera = into_current.inverse.translation
    return float(np.linalg.norm(camera * (length / np.linalg.norm(camera)) - previous.translation))


def _length_to(travelled: float, into_current: Pose, previous: Pose) -> float | None:
    """Length of the translation that ends this far from the image before."""
    camera = into_current.inverse.translation
    towards = camera / np.linalg.norm(camera)
    along = float(towards @ previous.translation)
    rest = along**2 - float(previous.translation @ previous.translation) + travelled**2
    length = along + np.sqrt(max(0.0, rest))
    return length if length > 0.0 else None
