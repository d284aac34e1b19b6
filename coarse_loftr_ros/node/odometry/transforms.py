"""TF, where tf2_ros is installed. It comes with ROS and is on no package index."""

from __future__ import annotations

import importlib.util

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.time import Time

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.node.odometry.conversion import pose_of_transform

__all__ = ["Broadcaster", "MountingLookup", "tf_available"]


def tf_available() -> bool:
    """Whether tf2_ros is installed."""
    return importlib.util.find_spec("tf2_ros") is not None


class Broadcaster:
    """Sends transforms on /tf.

    Args:
        node: that sends.
    """

    def __init__(self, node: Node) -> None:
        from tf2_ros import TransformBroadcaster

        self._node = node
        self._broadcaster = TransformBroadcaster(node)

    def send(self, transform: TransformStamped) -> None:
        """Send one."""
        self._broadcaster.sendTransform(transform)

    def close(self) -> None:
        """Stop sending."""
        self._node.destroy_publisher(self._broadcaster.pub_tf)


class MountingLookup:
    """Listens to TF for where the camera sits on the robot.

    Args:
        node: that listens.
        base_frame: frame of the robot.
    """

    def __init__(self, node: Node, base_frame: str) -> None:
        from tf2_ros import Buffer, TransformException, TransformListener

        self._base_frame = base_frame
        self._error = TransformException
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, node)

    def find(self, camera_frame: str, frame: str = "") -> Pose | None:
        """The camera's optical frame in the robot's, or ``None`` while TF does not know it.

        Args:
            camera_frame: the frame_id of the images.
            frame: another one than the robot's.
        """
        try:
            found = self._buffer.lookup_transform(frame or self._base_frame, camera_frame, Time())
        except self._error:
            return None
        return pose_of_transform(found)

    def close(self) -> None:
        """Stop listening."""
        self._listener.unregister()
