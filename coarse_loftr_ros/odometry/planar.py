"""Odometry of a camera over a plane: a downward camera of a drone or a robot on a floor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, inverse_covariance, skew
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.assessment import assess
from coarse_loftr_ros.odometry.camera_rays import cross, rays_of, tangent_basis
from coarse_loftr_ros.odometry.estimate import Scale
from coarse_loftr_ros.odometry.history import History
from coarse_loftr_ros.odometry.integration import IntegratedOdometry, Motion, Prediction
from coarse_loftr_ros.odometry.observations import (
    StereoMatches,
    TemporalMatches,
    check_intrinsics,
)
from coarse_loftr_ros.odometry.plane_motion import (
    PlaneMotion,
    PlanePrior,
    decompose,
    motion_of_homography,
    plane_distances,
    ray_homography,
    refine_plane_motion,
)
from coarse_loftr_ros.odometry.scale import LogLength, fuse
from coarse_loftr_ros.odometry.settings import PlanarSettings, check_range

__all__ = ["PlanarOdometry"]

# Tilt (rad) and relative change of height that a robot on a floor is allowed per image.
_FLOOR_SIGMA = 3e-4
# What the normal may change from image to image (rad): no ground is a perfect plane, and errors of
# neighbouring images are alike.
_NORMAL_DRIFT = 1e-3
_LEAST_FACING = 0.1  # cosine of the angle between the optical axis and the plane's normal
_MATCH_SIGMA_PX = 0.3  # of a matched point; its ratio to the prior of the plane is what counts


# A camera that comes this near the plane between two images is a wrong homography.
_LEAST_ALTITUDE_RATIO = 0.1


@dataclass(frozen=True, eq=False)
class _Plane:
    """The plane before one camera.

    Attributes:
        stamp: of the image, integer nanoseconds.
        normal: unit vector, float64 [3], away from the camera.
        covariance: float64 [2, 2] of the normal, along ``tangent_basis(normal)``.
        distance: of the plane, metres or units, with its variance.
        scale: where the distance comes from.
    """

    stamp: int
    normal: NDArray[np.float64]
    covariance: NDArray[np.float64]
    distance: LogLength
    scale: Scale


class PlanarOdometry(IntegratedOdometry):
    """Takes the motion from the homography of the plane, its length from the altitude.

    The plane's normal and distance are tracked from image to image: each homography refines the
    normal as far as it depends on it, and gives the change of distance; ranges correct the
    distance. Small motions, which leave the normal open, are measured with the normal known before.

    Args:
        intrinsics: of the rectified camera.
        settings: thresholds, and what is known of the plane.
    """

    def __init__(self, intrinsics: Intrinsics, settings: PlanarSettings | None = None) -> None:
        check_intrinsics(intrinsics)
        self.intrinsics = intrinsics
        self.settings = settings or PlanarSettings()
        super().__init__(self.settings)
        self._planes: History[_Plane] = History()
        self._last: _Plane | None = None
        self._range: float | None = None

    @property
    def external_range(self) -> float | None:
        """Distance of the plane along the optical axis at the next image, metres.

        It is used for that image alone; ``None`` when it was not measured.

        Raises:
            ValueError: when it is set to a number that is not positive.
        """
        return self._range

    @external_range.setter
    def external_range(self, value: float | None) -> None:
        if value is not None:
            check_range("external_range", value, 0.0, open_low=True)
        self._range = value

    def _observe(self, stamp: int, stereo: StereoMatches | None, matched: bool) -> None:
        if not matched:
            plane = self._plane_at(stamp)
            measured = self._measured_distance(plane.normal)
            if measured is not None:
                plane = self._in_metres(plane, plane.distance, measured)
                plane = replace(plane, distance=measured, scale=Scale.EXTERNAL)
            self._keep(plane)

    def _forget(self, reference_stamp: int | None) -> None:
        if reference_stamp is None:
            self._planes.clear()
            self._last = self._range = None
        else:
            self._planes.forget_before(reference_stamp)
            self._range = None

    def _measure(self, temporal: TemporalMatches, prediction: Prediction) -> Motion:
        settings, camera, count = self.settings, self.intrinsics, len(temporal)
        plane = self._plane_at(temporal.reference_stamp)
        points = (
            temporal.reference_points.astype(np.float64),
            temporal.current_points.astype(np.float64),
        )
        if count < settings.min_inliers:
            return Motion.lost(f"{count} matches, fewer than {settings.min_inliers}", count)
        homography = ray_homography(*points, camera, settings.threshold_px)
        if homography is None:
            return Motion.lost(f"no homography fits {count} matches", count)
        floor_sigma = _FLOOR_SIGMA if settings.constant_altitude else None
        fit = refine_plane_motion(
            *points,
            camera,
            self._start_of(homography, points, plane),
            PlanePrior(plane.normal, plane.covariance, floor_sigma),
            _MATCH_SIGMA_PX,
            settings.threshold_px,
        )
        if fit is None or fit.altitude_ratio < _LEAST_ALTITUDE_RATIO or fit.normal[2] <= 0:
            return Motion.lost(f"no motion over a plane fits {count} matches", count)
        errors = plane_distances(*points, camera, fit)
        inliers = int(np.count_nonzero(errors <= settings.threshold_px))
        status, reason = assess(inliers, count, settings)
        if status == Status.LOST:
            return Motion.lost(reason, count, inliers)
        return self._length(temporal, plane, fit, (status, reason), (count, inliers))

    def _start_of(
        self,
        homography: NDArray[np.float64],
        points: tuple[NDArray[np.float64], NDArray[np.float64]],
        plane: _Plane,
    ) -> PlaneMotion:
        """The motion over the plane as it is known, or, where that is wrong, as it is seen."""
        start = motion_of_homography(homography, plane.normal)
        error = float(np.median(plane_distances(*points, self.intrinsics, start)))
        if error > self.settings.threshold_px:
            seen = decompose(homography, rays_of(points[0], self.intrinsics))
            start = max(seen, key=lambda motion: motion.normal @ plane.normal, default=start)
        return start

    def _length(
        self,
        temporal: TemporalMatches,
        plane: _Plane,
        fit: PlaneMotion,
        assessment: tuple[Status, str],
        counts: tuple[int, int],
    ) -> Motion:
        """Give the motion its length, and move the plane to the current camera."""
        ratio = fit.altitude_ratio
        normal = fit.rotation @ fit.normal
        basis = tangent_basis(fit.normal)
        by_ratio = np.concatenate(
            [cross(normal, fit.shift), normal, fit.shift @ fit.rotation @ basis]
        )
        ratio_variance = float(by_ratio @ fit.covariance @ by_ratio) / ratio**2
        distance = plane.distance
        value, variance = distance.value + np.log(ratio), distance.variance + ratio_variance
        compared = LogLength(float(value), variance)
        measured = self._measured_distance(normal)
        scale = plane.scale if measured is None else Scale.EXTERNAL
        if plane.scale is not Scale.UNIT:
            fused = fuse(compared, measured)
        elif measured is not None:
            plane = self._in_metres(plane, compared, measured)
            fused = measured
        else:
            # The unit is what it is: it has no error.
            fused = LogLength(compared.value, 0.0)
            self._use_arbitrary_unit()
        # The distance now gives that at the reference.
        distance = LogLength(float(fused.value - np.log(ratio)), fused.variance)
        self._keep(replace(plane, distance=distance, scale=scale))
        by_normal = np.zeros((2, 8))
        current_basis = tangent_basis(normal)
        by_normal[:, :3] = -current_basis.T @ skew(normal)
        by_normal[:, 6:] = current_basis.T @ fit.rotation @ basis
        spread = by_normal @ fit.covariance @ by_normal.T + _NORMAL_DRIFT**2 * np.eye(2)
        self._keep(_Plane(temporal.stamp, normal, spread, fused, scale))
        status, reason = assessment
        if scale is Scale.UNIT:
            status = max(status, Status.DEGRADED)
            unknown = "altitude is not known: lengths are in units of it"
            reason = f"{reason}; {unknown}" if reason else unknown
        length = distance.length
        into_current = Pose(fit.rotation, length * fit.shift)
        order = [3, 4, 5, 0, 1, 2]
        covariance = fit.covariance[np.ix_(order, order)].copy()
        covariance[:3] *= length
        covariance[:, :3] *= length
        along = into_current.translation
        covariance[:3, :3] += distance.variance * np.outer(along, along)
        covariance = inverse_covariance(into_current, covariance) * self.settings.covariance_scale
        return Motion(into_current.inverse, covariance, status, reason, scale, *counts)

    def _plane_at(self, stamp: int) -> _Plane:
        """The plane as it was seen from this image, or as it may lie after some time."""
        known = self._planes.get(stamp)
        if known is not None:
            return known
        settings, last = self.settings, self._last
        spread = np.deg2rad(settings.normal_sigma_deg) ** 2 * np.eye(2)
        if last is None:
            normal = np.asarray(settings.normal, np.float64)
            altitude = settings.altitude_m
            return _Plane(
                stamp,
                normal / np.linalg.norm(normal),
                spread,
                LogLength.of(altitude or 1.0),
                Scale.UNIT if altitude is None else Scale.GROUND_PLANE,
            )
        if settings.constant_altitude:
            return replace(last, stamp=stamp)
        moved = settings.lost_speed * max(0.0, (stamp - last.stamp) / 1e9) / last.distance.length
        distance = LogLength(last.distance.value, last.distance.variance + moved**2)
        return replace(last, stamp=stamp, covariance=last.covariance + spread, distance=distance)

    def _in_metres(self, plane: _Plane, in_unit: LogLength, in_metres: LogLength) -> _Plane:
        """The plane in metres, given its distance in the unit and in metres."""
        if plane.scale is not Scale.UNIT or self._metric:
            return plane
        unit = LogLength(in_metres.value - in_unit.value, in_metres.variance + in_unit.variance)

        def rescaled(known: _Plane) -> _Plane:
            if known.scale is not Scale.UNIT:
                return known
            distance = LogLength(known.distance.value + unit.value, unit.variance)
            return replace(known, distance=distance, scale=Scale.EXTERNAL)

        self._set_unit(unit)
        self._planes.change(rescaled)
        self._last = rescaled(self._last)
        return rescaled(plane)

    def _keep(self, plane: _Plane) -> None:
        self._planes[plane.stamp] = plane
        if self._last is None or plane.stamp >= self._last.stamp:
            self._last = plane

    def _measured_distance(self, normal: NDArray[np.float64]) -> LogLength | None:
        """Distance along the plane's normal, from the range along the optical axis."""
        # Along an axis almost parallel to the plane a range does not give the distance.
        if self._range is None or normal[2] < _LEAST_FACING:
            return None
        return LogLength.of(self._range * float(normal[2]), self.settings.range_sigma)
