"""A node publishes what a replay records: the same types with the same values."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

from rclpy.serialization import deserialize_message, serialize_message

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.result import Correspondences, Homography, MatchResult, Status
from coarse_loftr_ros.node.common import conversion as node
from coarse_loftr_ros.node.odometry import conversion as odometry_node
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale
from coarse_loftr_ros.odometry.velocity import Velocity
from coarse_loftr_ros.recordings.bags import messages as bag
from coarse_loftr_ros.recordings.bags import odometry_messages as odometry_bag
from coarse_loftr_ros.recordings.bags.types import typestore

RANDOM = np.random.default_rng(1)
REFERENCE = Frame(RANDOM.integers(0, 255, (4, 6), np.uint8), 1_000_000_007, "left")
CURRENT = Frame(RANDOM.integers(0, 255, (4, 6), np.uint8), 1_100_000_009, "right")
VELOCITY = Velocity(RANDOM.normal(size=3), RANDOM.normal(size=3), np.eye(6) * 0.5, True, False)
MOUNTING = Pose.exp(np.array([0.3, 0.0, 0.5, 1.0, -0.2, 0.1]))


def result(count: int) -> MatchResult:
    points = RANDOM.random((2, count, 2), np.float32) * 6
    return MatchResult(
        REFERENCE,
        CURRENT,
        Correspondences(
            *points,
            RANDOM.random(count, np.float32),
            np.arange(count, dtype=np.uint32),
            RANDOM.random(count) > 0.5,
        ),
        Homography(
            RANDOM.normal(size=(3, 3)),
            count,
            5,
            5 / 7,
            np.inf,
            0.25,
            Status.DEGRADED,
            "few inliers",
        ),
    )


def estimate(scale: Scale) -> OdometryEstimate:
    pose = Pose.exp(RANDOM.normal(size=6))
    return OdometryEstimate(
        CURRENT.stamp, REFERENCE.stamp, pose, np.eye(6), pose, np.diag(np.arange(1.0, 7.0)),
        Status.OK, "", scale, 90, 80, 70, 1.0,
    )  # fmt: skip


def check_same(published, recorded) -> None:
    ros, kind = type(published), recorded.__msgtype__
    assert kind == f"{ros.__module__.split('.')[0]}/msg/{ros.__name__}"
    # Not the bytes are compared: rclpy leaves what it likes between the fields.
    written = bytes(typestore().serialize_cdr(recorded, kind))
    sent = serialize_message(published)
    assert len(written) == len(sent)
    assert deserialize_message(written, ros) == deserialize_message(sent, ros)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_correspondences_and_homography(count):
    given = result(count)
    check_same(node.correspondences_message(given), bag.correspondences_message(given))
    check_same(node.homography_message(given), bag.homography_message(given))


def test_image():
    published = node.image_message(CURRENT.image, node.header_of(CURRENT))
    check_same(published, bag.image_message(CURRENT))


@pytest.mark.parametrize("scale", Scale)
def test_odometry_and_relative_pose(scale):
    given = estimate(scale), VELOCITY
    robot = MOUNTING, "odom", "base_link"
    published = odometry_node.odometry_message(*given, *robot)
    recorded = odometry_bag.odometry_message(*given, *robot)
    check_same(published, recorded)
    check_same(
        odometry_node.transform_message(published), odometry_bag.tf_message(recorded).transforms[0]
    )
    headers = [[side.header_of(frame) for frame in (CURRENT, REFERENCE)] for side in (node, bag)]
    check_same(
        odometry_node.relative_pose_message(*given, *headers[0]),
        odometry_bag.relative_pose_message(*given, *headers[1]),
    )
