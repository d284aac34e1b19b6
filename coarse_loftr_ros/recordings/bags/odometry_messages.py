"""What the odometry node publishes, as messages of a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale
from coarse_loftr_ros.odometry.frames import robot_pose
from coarse_loftr_ros.odometry.velocity import Velocity
from coarse_loftr_ros.recordings.bags.messages import header_message
from coarse_loftr_ros.recordings.bags.types import ODOMETRY, RELATIVE_POSE, TF, typestore

__all__ = ["odometry_message", "relative_pose_message", "tf_message"]


def odometry_message(
    estimate: OdometryEstimate,
    velocity: Velocity,
    mounting: Pose,
    odom_frame: str,
    base_frame: str,
) -> Any:
    """An estimate as ``nav_msgs/Odometry``: the robot in ``odom_frame``, its own velocity."""
    types = typestore().types
    pose, covariance = robot_pose(estimate.pose, estimate.covariance, mounting, estimate.metric)
    return types[ODOMETRY](
        header=header_message(estimate.stamp, odom_frame),
        child_frame_id=base_frame,
        pose=_with_covariance(pose, covariance),
        twist=types["geometry_msgs/msg/TwistWithCovariance"](
            twist=types["geometry_msgs/msg/Twist"](
                linear=_vector(velocity.linear), angular=_vector(velocity.angular)
            ),
            covariance=velocity.covariance.reshape(36),
        ),
    )


def relative_pose_message(
    estimate: OdometryEstimate, velocity: Velocity, current: Frame, reference: Frame
) -> Any:
    """An estimate as ``coarse_loftr_msgs/RelativePose``, and whether its velocity was measured."""
    message = typestore().types[RELATIVE_POSE]
    scales = {
        Scale.NONE: message.SCALE_NONE,
        Scale.UNIT: message.SCALE_UNIT,
        Scale.METRIC: message.SCALE_METRIC,
        Scale.GROUND_PLANE: message.SCALE_GROUND_PLANE,
        Scale.EXTERNAL: message.SCALE_EXTERNAL,
    }
    return message(
        header=header_message(current.stamp, current.frame_id),
        reference_header=header_message(reference.stamp, reference.frame_id),
        pose=_with_covariance(estimate.relative, estimate.relative_covariance),
        match_count=estimate.matches,
        landmark_count=estimate.landmarks,
        inlier_count=estimate.inliers,
        scale=scales[estimate.scale],
        status=int(estimate.status),
        reason=estimate.reason,
        linear_velocity_measured=velocity.linear_measured,
        angular_velocity_measured=velocity.angular_measured,
    )


def tf_message(odometry: Any) -> Any:
    """The pose of an odometry message as ``tf2_msgs/TFMessage``."""
    types = typestore().types
    pose = odometry.pose.pose
    position = pose.position
    transform = types["geometry_msgs/msg/TransformStamped"](
        header=odometry.header,
        child_frame_id=odometry.child_frame_id,
        transform=types["geometry_msgs/msg/Transform"](
            translation=types["geometry_msgs/msg/Vector3"](position.x, position.y, position.z),
            rotation=pose.orientation,
        ),
    )
    return types[TF](transforms=[transform])


def _with_covariance(pose: Pose, covariance: NDArray[np.float64]) -> Any:
    types = typestore().types
    return types["geometry_msgs/msg/PoseWithCovariance"](
        pose=types["geometry_msgs/msg/Pose"](
            position=types["geometry_msgs/msg/Point"](*pose.translation.tolist()),
            orientation=types["geometry_msgs/msg/Quaternion"](*map(float, pose.quaternion)),
        ),
        covariance=covariance.reshape(36),
    )


def _vector(values: NDArray[np.float64]) -> Any:
    return typestore().types["geometry_msgs/msg/Vector3"](*values.tolist())
