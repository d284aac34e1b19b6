"""Between odometry and messages of rclpy."""

from __future__ import annotations

import array

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import (
    Point,
    PoseStamped,
    PoseWithCovariance,
    Quaternion,
    Transform,
    TransformStamped,
    Twist,
    TwistWithCovariance,
    Vector3,
)
from geometry_msgs.msg import Pose as PoseMessage
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from coarse_loftr_msgs.msg import Correspondences, RelativePose
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.messages.factory import stamp_ns
from coarse_loftr_ros.messages.odometry import OdometryMessages
from coarse_loftr_ros.node.common.conversion import build, class_lookup
from coarse_loftr_ros.odometry.observations import StereoMatches, TemporalMatches

__all__ = [
    "camera_speed",
    "cloud_message",
    "odometry_message",
    "pose_of_transform",
    "pose_stamped",
    "relative_pose_message",
    "stereo_matches",
    "temporal_matches",
    "transform_message",
]


def cloud_message(points: NDArray[np.floating], header: Header) -> PointCloud2:
    """Points [N, 3] in metres, in the frame of the header, as float32 x, y, z."""
    message = PointCloud2(header=header, height=1, width=len(points), is_dense=True)
    message.fields = [
        PointField(name=axis, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, axis in enumerate("xyz")
    ]
    message.point_step, message.row_step = 12, 12 * len(points)
    message.data = array.array("B", points.astype("<f4").tobytes())
    return message


def temporal_matches(message: Correspondences) -> TemporalMatches:
    """Correspondences of an image with its reference.

    Raises:
        ValueError: when arrays do not fit each other or a number is not finite.
    """
    reference, current = _points(message)
    return TemporalMatches(
        reference_stamp=stamp_ns(message.reference_header.stamp),
        stamp=stamp_ns(message.header.stamp),
        reference_points=reference,
        current_points=current,
        confidence=np.asarray(message.confidence, np.float32),
        track_id=np.asarray(message.track_id, np.uint32),
        width=message.width,
        height=message.height,
    )


def stereo_matches(message: Correspondences) -> StereoMatches:
    """Correspondences of a left image (the reference) with its right one.

    Raises:
        ValueError: when arrays do not fit each other or a number is not finite.
    """
    left, right = _points(message)
    return StereoMatches(
        stamp=stamp_ns(message.reference_header.stamp),
        left_points=left,
        right_points=right,
        confidence=np.asarray(message.confidence, np.float32),
        track_id=np.asarray(message.track_id, np.uint32),
    )


def pose_stamped(message: Odometry) -> PoseStamped:
    """The pose of an odometry message."""
    return PoseStamped(header=message.header, pose=message.pose.pose)


def pose_of_transform(message: TransformStamped) -> Pose:
    """A transform as a pose of its child in its parent.

    Raises:
        ValueError: when its rotation is none.
    """
    shift, turn = message.transform.translation, message.transform.rotation
    return Pose.from_quaternion(
        (turn.x, turn.y, turn.z, turn.w), np.array([shift.x, shift.y, shift.z])
    )


def camera_speed(twist: Twist, mounting: Pose) -> float:
    """Speed of the camera, m/s, from the robot's twist: its own, and what its turning adds."""
    linear = np.array([twist.linear.x, twist.linear.y, twist.linear.z])
    angular = np.array([twist.angular.x, twist.angular.y, twist.angular.z])
    return float(np.linalg.norm(linear + np.cross(angular, mounting.translation)))


def _points(message: Correspondences) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    sides = []
    for name in ("reference_points", "current_points"):
        numbers = np.asarray(getattr(message, name), np.float32)
        if len(numbers) % 2:
            raise ValueError(f"{name} has {len(numbers)} numbers; it must be an even number")
        sides.append(numbers.reshape(-1, 2))
    return sides[0], sides[1]


_messages = OdometryMessages(
    class_lookup(
        [
            *(Time, Header, Odometry, RelativePose),
            *(Point, Quaternion, Vector3, PoseMessage, PoseWithCovariance),
            *(Transform, TransformStamped, Twist, TwistWithCovariance),
        ]
    ),
    build,
)
odometry_message = _messages.odometry
relative_pose_message = _messages.relative_pose
transform_message = _messages.transform
