"""The true path of a recording: a file beside its images, or poses in the bag."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.recordings.bags.reader import BagReader
from coarse_loftr_ros.recordings.trajectories.files import read_trajectory
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

__all__ = ["recorded_path", "true_path", "truth_beside"]

_POSES = "geometry_msgs/msg/PoseStamped"
_ODOMETRY = "nav_msgs/msg/Odometry"


def true_path(path: Path, numbers: Mapping[int, int], frame_sets: int | None) -> Trajectory:
    """The true path at the images of a recording.

    Args:
        path: of the file.
        numbers: of the images that were used, by their stamps in nanoseconds; a file without
            times has a pose for every frame set of the recording, used or not.
        frame_sets: in the recording; ``None`` where nothing says it.

    Raises:
        ValueError: when it is not that of the recording.
    """
    last = max(numbers.values(), default=-1) + 1
    stamps: list[int | None] = [None] * max(last, frame_sets or 0)
    for stamp, number in numbers.items():
        stamps[number] = stamp
    return read_trajectory(path, stamps)


def truth_beside(folder: Path) -> Path | None:
    """Where the data sets have their truth: this project's and KITTI's, and TUM's."""
    places = [folder / "poses.txt"]
    if folder.parent.name == "sequences":
        places.append(folder.parent.parent / "poses" / f"{folder.name}.txt")
    if (folder / "rgb.txt").is_file():
        places.append(folder / "groundtruth.txt")
    return next((path for path in places if path.is_file()), None)


def recorded_path(reader: BagReader, topic: str, mounting: Pose) -> Trajectory | None:
    """The path of a robot as a topic of its recording has it.

    Args:
        reader: of the recording.
        topic: of ``geometry_msgs/PoseStamped`` or ``nav_msgs/Odometry``.
        mounting: the camera's optical frame in the robot's.

    Returns:
        The path of the optical frame; poses whose stamps do not rise are left out. ``None`` when
        the topic has no pose.

    Raises:
        BagError: when the recording cannot be read any more.
    """
    stamps: list[int] = []
    poses: list[Pose] = []
    for recorded in reader.headed_messages(topic, (_POSES, _ODOMETRY)):
        pose = recorded.message.pose
        pose = getattr(pose, "pose", pose)  # an odometry's is one with its covariance
        place, turn = pose.position, pose.orientation
        values = np.array([place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w])
        if not np.isfinite(values).all() or not values[3:].any():
            continue
        if not stamps or recorded.stamp > stamps[-1]:
            stamps.append(recorded.stamp)
            poses.append(Pose.from_quaternion(values[3:], values[:3]) @ mounting)
    return Trajectory.of(stamps, poses) if stamps else None
