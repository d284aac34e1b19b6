"""The published path is short however long the robot drives."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from geometry_msgs.msg import PoseStamped

from coarse_loftr_ros.node.odometry.path import DecimatedPath


def pose(x: float) -> PoseStamped:
    stamped = PoseStamped()
    stamped.pose.position.x = x
    return stamped


def test_a_path_keeps_its_distance_and_its_bound():
    path = DecimatedPath(min_distance=0.1, max_poses=50)
    steps = [pose(0.03 * step) for step in range(2000)]
    for each in steps:
        path.add(each)
        assert len(path.poses) <= 50
    kept = [next(k for k, each in enumerate(steps) if each is found) for found in path.poses]
    assert kept[0] == 0
    assert kept[-1] > 1900
    gaps = np.diff(kept)
    assert gaps.min() >= 4
    assert gaps.max() <= 4 * gaps.min()


def test_a_robot_that_stands_adds_nothing():
    path = DecimatedPath(min_distance=0.0, max_poses=5)
    assert path.add(pose(0.0))
    assert not path.add(pose(0.0))
    path.clear()
    assert list(path.poses) == []
