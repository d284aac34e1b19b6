"""What the odometry node publishes: the robot's pose, its velocity, and its path."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from nav_msgs.msg import Odometry, Path
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from coarse_loftr_msgs.msg import RelativePose
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.node.odometry.conversion import (
    cloud_message,
    odometry_message,
    pose_stamped,
    relative_pose_message,
    transform_message,
)
from coarse_loftr_ros.node.odometry.path import DecimatedPath
from coarse_loftr_ros.node.odometry.transforms import Broadcaster
from coarse_loftr_ros.odometry.estimate import OdometryEstimate
from coarse_loftr_ros.odometry.velocity import Velocity

__all__ = ["FrameIds", "OdometryOutputs"]


@dataclass(frozen=True)
class FrameIds:
    """Names of frames.

    Attributes:
        odom: where the path starts.
        base: of the robot.
    """

    odom: str
    base: str


class OdometryOutputs:
    """The publishers of an active odometry node.

    Args:
        node: that publishes.
        frames: names of the frames.
        broadcaster: also sends the pose on /tf where its lengths are metres.
        path: to collect poses in.
        path_rate: most path messages per second.
        stereo: also publish landmarks.
    """

    def __init__(
        self,
        node: Node,
        frames: FrameIds,
        broadcaster: Broadcaster | None,
        path: DecimatedPath,
        path_rate: float,
        stereo: bool = False,
    ) -> None:
        self.path = path
        self.path_rate = path_rate
        self._node = node
        self._frames = frames
        self._odometry = node.create_publisher(Odometry, "~/odometry", 10)
        self._relative = node.create_publisher(RelativePose, "~/relative_pose", 10)
        self._path = node.create_publisher(Path, "~/path", 1)
        self._landmarks = node.create_publisher(PointCloud2, "~/landmarks", 1) if stereo else None
        self._broadcaster = broadcaster
        self._metric = True
        self._last_path = -1e9

    def publish(
        self,
        estimate: OdometryEstimate,
        velocity: Velocity,
        mounting: Pose,
        headers: tuple[Header, Header],
    ) -> None:
        """Send an estimate.

        Args:
            estimate: to send.
            velocity: at its time.
            mounting: the camera's optical frame in the robot's frame.
            headers: of the current and of the reference image.
        """
        message = odometry_message(
            estimate, velocity, mounting, self._frames.odom, self._frames.base
        )
        self._odometry.publish(message)
        if self._broadcaster is not None and estimate.metric:
            self._broadcaster.send(transform_message(message))
        self._relative.publish(relative_pose_message(estimate, velocity, *headers))
        if estimate.metric != self._metric:
            # A path of both metres and units would be none.
            self.path.clear()
            self._metric = estimate.metric
        self.path.add(pose_stamped(message))
        self._publish_path(message.header)

    def publish_landmarks(
        self, find: Callable[[], NDArray[np.float64] | None], header: Header
    ) -> None:
        """Send the landmarks of an image when someone looks.

        Args:
            find: gives them, [N, 3] in the camera's frame; ``None`` is none known.
            header: of the image.
        """
        if self._landmarks is None or self._landmarks.get_subscription_count() == 0:
            return
        points = find()
        if points is not None:
            self._landmarks.publish(cloud_message(points, header))

    def close(self) -> None:
        """Stop publishing."""
        for publisher in (self._odometry, self._relative, self._path, self._landmarks):
            if publisher is not None:
                self._node.destroy_publisher(publisher)
        if self._broadcaster is not None:
            self._broadcaster.close()

    def _publish_path(self, header: Header) -> None:
        """Send the path when someone looks and the rate allows it."""
        now = time.monotonic()
        if now - self._last_path < 1.0 / self.path_rate:
            return
        if self._path.get_subscription_count() == 0:
            return
        self._last_path = now
        self._path.publish(Path(header=header, poses=list(self.path.poses)))
