"""Every parameter of the odometry node in one table.

The configuration files, the launch file and the documentation are checked against this table.
"""

from __future__ import annotations

from coarse_loftr_ros.node.common.parameter import MANAGED_NODE, Change, Parameter, table
from coarse_loftr_ros.odometry.settings import (
    MonoSettings,
    MotionSettings,
    PlanarSettings,
    ScaleSource,
    StereoSettings,
)

__all__ = ["PARAMETERS"]

_MOTION = MotionSettings()
_STEREO = StereoSettings()
_MONO = MonoSettings()
_PLANAR = PlanarSettings()


def _mounting_angle(name: str, description: str) -> Parameter:
    return Parameter(
        f"mounting.{name}",
        0.0,
        description,
        unit="rad",
        low=-6.2832,
        high=6.2832,
        change=Change.UNCONFIGURED,
    )


def _mounting_length(name: str, description: str) -> Parameter:
    return Parameter(
        f"mounting.{name}",
        0.0,
        description,
        unit="m",
        low=-1000.0,
        high=1000.0,
        change=Change.UNCONFIGURED,
    )


PARAMETERS = table(
    # --- read at configure ----------------------------------------------------------------------
    Parameter(
        "mode",
        "stereo",
        "A rectified stereo camera, one camera, or one camera that looks down on a plane.",
        choices=("stereo", "mono", "planar"),
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "odom_frame",
        "odom",
        "Frame in which the path starts at the origin (REP 105).",
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "base_frame",
        "base_link",
        "Frame of the robot, whose pose in odom_frame is published.",
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "publish_tf",
        True,
        "Broadcast odom_frame to base_frame on /tf, where lengths are metres; needs tf2_ros. "
        "False where another node, such as robot_localization, does it.",
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "altitude_source",
        "parameter",
        "Planar: planar.altitude_m at the start, or the topic range.",
        choices=("parameter", "range"),
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "queue_depth",
        10,
        "Messages that may wait per topic.",
        unit="messages",
        low=1,
        high=1000,
        change=Change.UNCONFIGURED,
    ),
    *MANAGED_NODE,
    Parameter(
        "mounting.source",
        "parameter",
        "Where the camera sits on the robot: the values below, or tf from base_frame to the "
        "frame_id of the images.",
        choices=("parameter", "tf"),
        change=Change.UNCONFIGURED,
    ),
    _mounting_length("x", "Position of the camera in base_frame, forward."),
    _mounting_length("y", "Position of the camera in base_frame, left."),
    _mounting_length("z", "Position of the camera in base_frame, up."),
    _mounting_angle("roll", "Attitude of the camera's body in base_frame; all 0 looks ahead."),
    _mounting_angle("pitch", "The same about y, down; 1.5708 looks at the ground."),
    _mounting_angle("yaw", "The same about z, to the left."),
    Parameter(
        "motion.threshold_px",
        _MOTION.threshold_px,
        "Largest reprojection (mono: epipolar) error of an inlier.",
        unit="px",
        low=0.05,
        high=50.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "motion.min_inliers",
        _MOTION.min_inliers,
        "Fewer inliers mean LOST.",
        low=6,
        high=100000,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "motion.min_inlier_ratio",
        _MOTION.min_inlier_ratio,
        "A smaller share of inliers means LOST.",
        low=0.0,
        high=1.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "motion.good_inliers",
        _MOTION.good_inliers,
        "Fewer inliers mean DEGRADED.",
        low=0,
        high=100000,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "motion.good_inlier_ratio",
        _MOTION.good_inlier_ratio,
        "A smaller share of inliers means DEGRADED.",
        low=0.0,
        high=1.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "motion.covariance_scale",
        0.0,
        "Factor on the covariance of each motion, for what residuals do not show; 0 takes the "
        f"mode's own: {_STEREO.covariance_scale:g} of stereo and mono, "
        f"{_PLANAR.covariance_scale:g} of planar.",
        low=0.0,
        high=10000.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "motion.coast_s",
        _MOTION.coast_s,
        "While LOST, the last motion is taken to go on for this long; then the pose stays.",
        unit="s",
        low=0.0,
        high=60.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "motion.lost_speed",
        _MOTION.lost_speed,
        "While LOST, the position may be wrong by this much more per second, or by the last "
        "speed where that is larger; so may the velocity.",
        unit="m/s",
        low=0.001,
        high=1000.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "motion.lost_rate",
        _MOTION.lost_rate,
        "While LOST, the attitude may be wrong by this much more per second, or by the last "
        "rate where that is larger; so may the rate.",
        unit="rad/s",
        low=0.001,
        high=100.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "stereo.disparity_sigma_px",
        _STEREO.disparity_sigma_px,
        "Stereo: standard deviation of a disparity.",
        unit="px",
        low=0.01,
        high=10.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "stereo.pixel_sigma_px",
        _STEREO.pixel_sigma_px,
        "Stereo: standard deviation of a matched point.",
        unit="px",
        low=0.01,
        high=10.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "stereo.min_disparity_px",
        _STEREO.min_disparity_px,
        "Stereo: points with less are too far away to be used.",
        unit="px",
        low=0.01,
        high=100.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "stereo.window",
        _STEREO.window,
        "Stereo: latest images that are adjusted together whenever the reference is a new one, 3 "
        "to 10; 0 adjusts none. Needs SciPy.",
        unit="images",
        low=0,
        high=10,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "mono.scale",
        _MONO.scale.value,
        "Mono: where lengths come from. unit: nowhere, they are not metres (the first motion "
        "has length 1), and nothing is sent on /tf; ground_plane: mono.camera_height_m; "
        "external: the topic external_odometry.",
        choices=tuple(source.value for source in ScaleSource),
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "mono.camera_height_m",
        0.0,
        "Mono: height of the camera above the ground, for scale ground_plane; 0 means unknown.",
        unit="m",
        low=0.0,
        high=1000.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "mono.ground_angle_deg",
        _MONO.ground_angle_deg,
        "Mono: largest tilt of a plane that is taken for the ground.",
        unit="degrees",
        low=0.1,
        high=45.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "mono.scale_sigma",
        _MONO.scale_sigma,
        "Mono: standard deviation of a speed, or of one measurement of the camera's height, as "
        "a share of it; no length is stated to be surer.",
        low=0.0001,
        high=1.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "planar.altitude_m",
        0.0,
        "Planar: distance of the camera from the plane at the first image; 0 means unknown: "
        "lengths are in units of it and not metres, until a range comes.",
        unit="m",
        low=0.0,
        high=10000.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "planar.constant_altitude",
        _PLANAR.constant_altitude,
        "Planar: altitude and tilt never change, as of a robot on a floor.",
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "planar.normal_sigma_deg",
        _PLANAR.normal_sigma_deg,
        "Planar: standard deviation of the plane's tilt at the first image.",
        unit="degrees",
        low=0.01,
        high=45.0,
        change=Change.UNCONFIGURED,
    ),
    Parameter(
        "planar.range_sigma",
        _PLANAR.range_sigma,
        "Planar: standard deviation of a range, as a share of it.",
        low=0.0001,
        high=1.0,
        change=Change.UNCONFIGURED,
    ),
    # --- may change at run time -----------------------------------------------------------------
    Parameter(
        "input_timeout",
        2.0,
        "Diagnostics warn when no correspondences came, or no estimate went out, for longer than "
        "this; correspondences without an estimate for three times as long are an error.",
        unit="s",
        low=0.1,
        high=3600.0,
    ),
    Parameter(
        "stereo_wait",
        0.1,
        "Stereo: longest time that matches in time wait for the stereo matches of their images.",
        unit="s",
        low=0.0,
        high=10.0,
    ),
    Parameter(
        "external_timeout",
        0.5,
        "A speed or range whose stamp is farther from the image's than this is not used.",
        unit="s",
        low=0.001,
        high=60.0,
    ),
    Parameter(
        "path.min_distance",
        0.05,
        "Least distance between two poses of the path.",
        unit="m",
        low=0.0,
        high=1000.0,
    ),
    Parameter(
        "path.max_poses",
        2000,
        "Most poses of the path; beyond it every second one is dropped.",
        low=2,
        high=1000000,
    ),
    Parameter(
        "path.max_rate",
        2.0,
        "Most path messages per second.",
        unit="Hz",
        low=0.01,
        high=1000.0,
    ),
)
"""The table, by name and in the order of the documentation."""
