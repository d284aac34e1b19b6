"""What the odometry node publishes, and true poses, as messages of a recording."""

from __future__ import annotations

from typing import Any

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.messages.names import TF
from coarse_loftr_ros.messages.odometry import OdometryMessages
from coarse_loftr_ros.recordings.bags.types import build, class_of

__all__ = ["odometry_message", "pose_message", "relative_pose_message", "tf_message"]

_messages = OdometryMessages(class_of, build)
odometry_message = _messages.odometry
relative_pose_message = _messages.relative_pose


def pose_message(stamp: int, frame_id: str, pose: Pose) -> Any:
    """A pose in a frame at a time in nanoseconds as ``geometry_msgs/PoseStamped``."""
    return _messages.pose_stamped(_messages.header(stamp, frame_id), pose)


def tf_message(odometry: Any) -> Any:
    """The pose of an odometry message as ``tf2_msgs/TFMessage``."""
    return class_of(TF)(transforms=[_messages.transform(odometry)])
