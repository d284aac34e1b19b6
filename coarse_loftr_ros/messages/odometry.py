"""Poses and estimates of odometry as messages."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.messages.factory import MessageFactory
from coarse_loftr_ros.messages.names import ODOMETRY, POSE_STAMPED, RELATIVE_POSE
from coarse_loftr_ros.odometry.estimate import OdometryEstimate
from coarse_loftr_ros.odometry.frames import robot_pose
from coarse_loftr_ros.odometry.velocity import Velocity

__all__ = ["OdometryMessages"]


class OdometryMessages(MessageFactory):
    """Makes what the odometry node publishes."""

    def odometry(
        self,
        estimate: OdometryEstimate,
        velocity: Velocity,
        mounting: Pose,
        odom_frame: str,
        base_frame: str,
    ) -> Any:
        """An estimate as ``nav_msgs/Odometry``: the robot in ``odom_frame``, its own velocity."""
        pose, covariance = robot_pose(estimate.pose, estimate.covariance, mounting, estimate.metric)
        return self.class_of(ODOMETRY)(
            header=self.header(estimate.stamp, odom_frame),
            child_frame_id=base_frame,
            pose=self._pose_with_covariance(pose, covariance),
            twist=self.class_of("geometry_msgs/msg/TwistWithCovariance")(
                twist=self.class_of("geometry_msgs/msg/Twist")(
                    linear=self._vector(velocity.linear), angular=self._vector(velocity.angular)
                ),
                covariance=velocity.covariance.reshape(36),
            ),
        )

    def relative_pose(
        self, estimate: OdometryEstimate, velocity: Velocity, header: Any, reference_header: Any
    ) -> Any:
        """An estimate as ``coarse_loftr_msgs/RelativePose``.

        Args:
            estimate: of the motion from the reference to the current image.
            velocity: says whether it was measured.
            header: of the current image.
            reference_header: of the reference image.
        """
        message = self.class_of(RELATIVE_POSE)
        return message(
            header=header,
            reference_header=reference_header,
            pose=self._pose_with_covariance(estimate.relative, estimate.relative_covariance),
            match_count=estimate.matches,
            landmark_count=estimate.landmarks,
            inlier_count=estimate.inliers,
            scale=getattr(message, f"SCALE_{estimate.scale.name}"),
            status=int(estimate.status),
            reason=estimate.reason,
            linear_velocity_measured=velocity.linear_measured,
            angular_velocity_measured=velocity.angular_measured,
        )

    def pose_stamped(self, header: Any, pose: Pose) -> Any:
        """A pose in the frame of the header as ``geometry_msgs/PoseStamped``."""
        return self.class_of(POSE_STAMPED)(header=header, pose=self._pose(pose))

    def transform(self, odometry: Any) -> Any:
        """The pose of a ``nav_msgs/Odometry`` as ``geometry_msgs/TransformStamped``."""
        pose = odometry.pose.pose
        position = pose.position
        return self.class_of("geometry_msgs/msg/TransformStamped")(
            header=odometry.header,
            child_frame_id=odometry.child_frame_id,
            transform=self.class_of("geometry_msgs/msg/Transform")(
                translation=self.class_of("geometry_msgs/msg/Vector3")(
                    x=position.x, y=position.y, z=position.z
                ),
                rotation=pose.orientation,
            ),
        )

    def _pose(self, pose: Pose) -> Any:
        px, py, pz = pose.translation.tolist()
        x, y, z, w = map(float, pose.quaternion)
        return self.class_of("geometry_msgs/msg/Pose")(
            position=self.class_of("geometry_msgs/msg/Point")(x=px, y=py, z=pz),
            orientation=self.class_of("geometry_msgs/msg/Quaternion")(x=x, y=y, z=z, w=w),
        )

    def _pose_with_covariance(self, pose: Pose, covariance: NDArray[np.float64]) -> Any:
        return self.class_of("geometry_msgs/msg/PoseWithCovariance")(
            pose=self._pose(pose), covariance=covariance.reshape(36)
        )

    def _vector(self, values: NDArray[np.float64]) -> Any:
        x, y, z = values.tolist()
        return self.class_of("geometry_msgs/msg/Vector3")(x=x, y=y, z=z)
