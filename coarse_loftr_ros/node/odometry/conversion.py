"""Between odometry and ROS messages."""

from __future__ import annotations

import array

import numpy as np
from geometry_msgs.msg import Pose as PoseMessage
from geometry_msgs.msg import (
    PoseStamped,
    PoseWithCovariance,
    Quaternion,
    TransformStamped,
    Twist,
    TwistWithCovariance,
    Vector3,
)
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from coarse_loftr_msgs.msg import Correspondences, RelativePose
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.node.common.conversion import stamp_ns, time_message
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale
from coarse_loftr_ros.odometry.frames import robot_pose
from coarse_loftr_ros.odometry.observations import StereoMatches, TemporalMatches
from coarse_loftr_ros.odometry.velocity import Velocity

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

_SCALES = {
    Scale.NONE: RelativePose.SCALE_NONE,
    Scale.UNIT: RelativePose.SCALE_UNIT,
    Scale.METRIC: RelativePose.SCALE_METRIC,
    Scale.GROUND_PLANE: RelativePose.SCALE_GROUND_PLANE,
    Scale.EXTERNAL: RelativePose.SCALE_EXTERNAL,
}


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


def relative_pose_message(
    estimate: OdometryEstimate, velocity: Velocity, header: Header, reference_header: Header
) -> RelativePose:
    """An estimate as ``coarse_loftr_msgs/RelativePose``, and whether its velocity was measured."""
    return RelativePose(
        header=header,
        reference_header=reference_header,
        pose=_with_covariance(estimate.relative, estimate.relative_covariance),
        match_count=estimate.matches,
        landmark_count=estimate.landmarks,
        inlier_count=estimate.inliers,
        scale=_SCALES[estimate.scale],
        linear_velocity_measured=velocity.linear_measured,
        angular_velocity_measured=velocity.angular_measured,
        status=int(estimate.status),
        reason=estimate.reason,
    )


def odometry_message(
    estimate: OdometryEstimate,
    velocity: Velocity,
    mounting: Pose,
    odom_frame: str,
    base_frame: str,
) -> Odometry:
    """An estimate as ``nav_msgs/Odometry``: the robot in ``odom_frame``, its own velocity."""
    pose, covariance = robot_pose(estimate.pose, estimate.covariance, mounting, estimate.metric)
    header = Header(stamp=time_message(estimate.stamp), frame_id=odom_frame)
    message = Odometry(header=header, child_frame_id=base_frame)
    message.pose = _with_covariance(pose, covariance)
    message.twist = TwistWithCovariance(covariance=velocity.covariance.reshape(36))
    message.twist.twist.linear = _vector(velocity.linear)
    message.twist.twist.angular = _vector(velocity.angular)
    return message


def pose_stamped(message: Odometry) -> PoseStamped:
    """The pose of an odometry message."""
    return PoseStamped(header=message.header, pose=message.pose.pose)


def transform_message(message: Odometry) -> TransformStamped:
    """The pose of an odometry message as a transform."""
    pose = message.pose.pose
    transform = TransformStamped(header=message.header, child_frame_id=message.child_frame_id)
    position = pose.position
    transform.transform.translation = Vector3(x=position.x, y=position.y, z=position.z)
    transform.transform.rotation = pose.orientation
    return transform


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


def _with_covariance(pose: Pose, covariance: NDArray[np.float64]) -> PoseWithCovariance:
    message = PoseMessage()
    message.position.x, message.position.y, message.position.z = pose.translation.tolist()
    x, y, z, w = pose.quaternion
    message.orientation = Quaternion(x=x, y=y, z=z, w=w)
    return PoseWithCovariance(pose=message, covariance=covariance.reshape(36))


def _vector(values: NDArray[np.float64]) -> Vector3:
    x, y, z = values.tolist()
    return Vector3(x=x, y=y, z=z)
