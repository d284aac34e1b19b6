"""Settings of the odometries, checked when they are made."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from enum import Enum

import numpy as np

__all__ = [
    "MonoSettings",
    "MotionSettings",
    "PlanarSettings",
    "ScaleSource",
    "StereoSettings",
]

_WINDOWS = range(3, 11)


@dataclass(frozen=True)
class MotionSettings:
    """What all odometries share.

    Attributes:
        threshold_px: largest reprojection (or epipolar) error of an inlier, px.
        min_inliers: fewer mean LOST.
        min_inlier_ratio: a smaller share of the matches means LOST.
        good_inliers: fewer mean DEGRADED.
        good_inlier_ratio: a smaller share of the matches means DEGRADED.
        covariance_scale: factor on the covariance of each motion, for what residuals do not show
            (calibration, errors that neighbouring images share).
        coast_s: while lost, the last motion is taken to go on for this long; then the pose stays.
        lost_speed: while lost, the position may be wrong by this much more per second, or by the
            last speed where that is larger; m/s (units/s without a scale).
        lost_rate: while lost, the attitude may be wrong by this much more per second, or by the
            last rate where that is larger; rad/s.
    """

    threshold_px: float = 1.5
    min_inliers: int = 12
    min_inlier_ratio: float = 0.15
    good_inliers: int = 40
    good_inlier_ratio: float = 0.3
    covariance_scale: float = 1.3
    coast_s: float = 0.5
    lost_speed: float = 0.5
    lost_rate: float = 0.3

    def __post_init__(self) -> None:
        for name in ("threshold_px", "covariance_scale", "lost_speed", "lost_rate"):
            check_range(name, getattr(self, name), 0.0, open_low=True)
        check_range("coast_s", self.coast_s, 0.0)
        check_range("min_inliers", self.min_inliers, 6)
        check_range("good_inliers", self.good_inliers, 0)
        check_range("min_inlier_ratio", self.min_inlier_ratio, 0.0, 1.0)
        check_range("good_inlier_ratio", self.good_inlier_ratio, 0.0, 1.0)


@dataclass(frozen=True)
class StereoSettings(MotionSettings):
    """Settings of ``StereoOdometry``.

    Attributes:
        disparity_sigma_px: standard deviation of a disparity, px, of points that agree.
        pixel_sigma_px: standard deviation of a matched point in time, px.
        min_disparity_px: points with less are too far to triangulate and are not used.
        window: latest images that are adjusted together whenever the reference is a new one, 3 to
            10; 0 adjusts none. Needs SciPy.
    """

    disparity_sigma_px: float = 0.4
    pixel_sigma_px: float = 0.3
    min_disparity_px: float = 1.0
    window: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("disparity_sigma_px", "pixel_sigma_px", "min_disparity_px"):
            check_range(name, getattr(self, name), 0.0, open_low=True)
        if self.window != 0 and self.window not in _WINDOWS:
            raise ValueError(
                f"window is {self.window}; it must be {_WINDOWS[0]} to {_WINDOWS[-1]}, or 0"
            )
        if self.window and importlib.util.find_spec("scipy") is None:
            raise ValueError(
                f"window is {self.window}; that needs SciPy, which is not installed: "
                "pip install 'coarse_loftr_ros[refinement]'"
            )


class ScaleSource(Enum):
    """Where one camera takes the length of its motion from."""

    UNIT = "unit"
    GROUND_PLANE = "ground_plane"
    EXTERNAL = "external"


@dataclass(frozen=True)
class MonoSettings(MotionSettings):
    """Settings of ``MonoOdometry``.

    Attributes:
        scale: where the length of the motion comes from.
        camera_height_m: of the camera over the ground; ``GROUND_PLANE`` needs it.
        down: direction of the ground's normal into the ground in the optical frame; a camera that
            looks level has (0, 1, 0).
        ground_angle_deg: largest angle between ``down`` and the normal of a plane that is taken
            for the ground.
        scale_sigma: standard deviation of an external speed, or of one measurement of the camera's
            height, as a share of it. No length is stated to be surer, however often it was
            measured: those errors are alike from image to image.
    """

    scale: ScaleSource = ScaleSource.UNIT
    camera_height_m: float | None = None
    down: tuple[float, float, float] = (0.0, 1.0, 0.0)
    ground_angle_deg: float = 8.0
    scale_sigma: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("ground_angle_deg", self.ground_angle_deg, 0.0, 45.0, open_low=True)
        check_range("scale_sigma", self.scale_sigma, 0.0, 1.0, open_low=True)
        if self.scale is ScaleSource.GROUND_PLANE and self.camera_height_m is None:
            raise ValueError("camera_height_m is not given; scale ground_plane needs it")
        if self.camera_height_m is not None:
            check_range("camera_height_m", self.camera_height_m, 0.0, open_low=True)
        check_direction("down", self.down)


@dataclass(frozen=True)
class PlanarSettings(MotionSettings):
    """Settings of ``PlanarOdometry``.

    Attributes:
        altitude_m: distance of the camera from the plane at the first image, metres; ``None``
            takes the first range that is given, and the unit is the altitude until then.
        constant_altitude: altitude and tilt never change (a robot on a floor).
        normal: of the plane, away from the camera, in the optical frame of the first image; a
            camera that looks straight down has (0, 0, 1).
        normal_sigma_deg: standard deviation of that direction.
        range_sigma: standard deviation of a range, as a share of it.
        covariance_scale: as in ``MotionSettings``; all that is estimated comes from one
            homography, and its residuals show what it is worth.
    """

    covariance_scale: float = 1.0

    altitude_m: float | None = None
    constant_altitude: bool = False
    normal: tuple[float, float, float] = (0.0, 0.0, 1.0)
    normal_sigma_deg: float = 5.0
    range_sigma: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("normal_sigma_deg", self.normal_sigma_deg, 0.0, 45.0, open_low=True)
        check_range("range_sigma", self.range_sigma, 0.0, 1.0, open_low=True)
        if self.altitude_m is not None:
            check_range("altitude_m", self.altitude_m, 0.0, open_low=True)
        check_direction("normal", self.normal)


def check_range(
    name: str, value: float, low: float, high: float = np.inf, *, open_low: bool = False
) -> None:
    """Refuse a number out of its range.

    Raises:
        ValueError: when it is not finite, below ``low`` (or equal to it with ``open_low``) or
            above ``high``.
    """
    if np.isfinite(value) and low <= value <= high and not (open_low and value == low):
        return
    bound = f"more than {low:g}" if open_low else f"at least {low:g}"
    limit = f" and at most {high:g}" if np.isfinite(high) else ""
    raise ValueError(f"{name} is {value}; it must be {bound}{limit}")


def check_direction(name: str, direction: tuple[float, float, float]) -> None:
    """Refuse a direction without a length.

    Raises:
        ValueError: when it is not three finite numbers, or all are zero.
    """
    vector = np.asarray(direction, np.float64)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not vector.any():
        raise ValueError(f"{name} is {direction}; it must be three numbers, not all zero")
