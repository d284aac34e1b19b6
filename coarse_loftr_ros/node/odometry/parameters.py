"""What the values of the odometry node's parameters mean to the core."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.node.common.parameter import ParameterError, Value, check_values, group
from coarse_loftr_ros.node.odometry.parameter_table import PARAMETERS
from coarse_loftr_ros.odometry.frames import mounting_of_camera
from coarse_loftr_ros.odometry.settings import (
    MonoSettings,
    MotionSettings,
    PlanarSettings,
    ScaleSource,
    StereoSettings,
)

__all__ = ["check", "mounting", "settings", "why_not_metric"]

_UP = np.array([0.0, 0.0, 1.0])


def check(values: Mapping[str, Value]) -> None:
    """Refuse values that the table or the core does not allow.

    Args:
        values: of all parameters.

    Raises:
        ParameterError: naming the parameter, the value and what is allowed.
    """
    check_values(PARAMETERS, values)
    for name in ("odom_frame", "base_frame"):
        if not values[name] or values[name].startswith("/"):
            raise ParameterError(
                f"parameter '{name}' is '{values[name]}'; it must be a name without a leading '/'"
            )
    if values["odom_frame"] == values["base_frame"]:
        raise ParameterError(
            f"odom_frame and base_frame are both '{values['base_frame']}'; they must differ"
        )
    try:
        settings(values, mounting(values))
    except ValueError as error:
        raise ParameterError(f"parameters do not fit together: {error}") from error


def mounting(values: Mapping[str, Value]) -> Pose:
    """The camera's optical frame in the robot's frame, by the parameters."""
    where = group(values, "mounting")
    return mounting_of_camera(
        [where[axis] for axis in ("x", "y", "z")],
        [where[axis] for axis in ("roll", "pitch", "yaw")],
    )


def settings(values: Mapping[str, Value], mounted: Pose) -> MotionSettings:
    """Settings of the mode's odometry.

    Args:
        values: of all parameters.
        mounted: the camera's optical frame in the robot's frame, which says where down is.

    Raises:
        ValueError: when values do not fit together.
    """
    motion = group(values, "motion")
    if not motion["covariance_scale"]:
        del motion["covariance_scale"]
    if values["mode"] == "stereo":
        return StereoSettings(**motion, **group(values, "stereo"))
    if values["mode"] == "mono":
        mono = group(values, "mono")
        return MonoSettings(
            **motion,
            scale=ScaleSource(mono["scale"]),
            camera_height_m=mono["camera_height_m"] or None,
            ground_angle_deg=mono["ground_angle_deg"],
            scale_sigma=mono["scale_sigma"],
            down=_down(mounted),
        )
    planar = group(values, "planar")
    return PlanarSettings(
        **motion,
        altitude_m=planar["altitude_m"] or None,
        constant_altitude=planar["constant_altitude"],
        normal_sigma_deg=planar["normal_sigma_deg"],
        range_sigma=planar["range_sigma"],
        normal=_down(mounted),
    )


def why_not_metric(values: Mapping[str, Value]) -> str:
    """The parameter by which lengths never are metres, in words; empty when they can be."""
    if values["mode"] == "mono" and values["mono.scale"] == ScaleSource.UNIT.value:
        return "mono.scale is unit"
    by_range = values["altitude_source"] == "range"
    if values["mode"] == "planar" and not by_range and not values["planar.altitude_m"]:
        return "planar.altitude_m is 0 and altitude_source is parameter"
    return ""


def _down(mounted: Pose) -> tuple[float, float, float]:
    """The robot's down in the optical frame."""
    down: NDArray[np.float64] = -mounted.rotation.T @ _UP
    return tuple(down.tolist())
