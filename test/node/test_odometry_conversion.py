"""Correspondences and estimates as messages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

from geometry_msgs.msg import Twist, Vector3
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message

from coarse_loftr_msgs.msg import Correspondences as CorrespondencesMessage
from coarse_loftr_msgs.msg import RelativePose
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.result import Correspondences, Status, StereoMatch
from coarse_loftr_ros.node.common.conversion import correspondences_message, header_of
from coarse_loftr_ros.node.odometry.conversion import (
    camera_speed,
    odometry_message,
    pose_of_transform,
    relative_pose_message,
    stereo_matches,
    temporal_matches,
    transform_message,
)
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale
from coarse_loftr_ros.odometry.frames import UNKNOWN_VARIANCE, mounting_of_camera
from coarse_loftr_ros.odometry.velocity import Velocity

LEFT = Frame(np.zeros((4, 6), np.uint8), 1_000_000_007, "left")
RIGHT = Frame(np.zeros((4, 6), np.uint8), 1_100_000_009, "right")
LEVEL = mounting_of_camera((0.3, 0.0, 0.5), (0.0, 0.0, 0.0))
numbers = st.floats(-100, 100)
vectors = arrays(np.float64, 3, elements=numbers)
twists = arrays(np.float64, 6, elements=st.floats(-3, 3))


def on_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


def estimate(pose: Pose, **fields) -> OdometryEstimate:
    values = {
        "stamp": RIGHT.stamp,
        "reference_stamp": LEFT.stamp,
        "pose": pose,
        "covariance": np.diag(np.arange(1.0, 7.0)),
        "relative": pose,
        "relative_covariance": np.eye(6),
        "status": Status.OK,
        "reason": "",
        "scale": Scale.METRIC,
        "matches": 90,
        "landmarks": 80,
        "inliers": 70,
        "timing_ms": 1.0,
    }
    return OdometryEstimate(**(values | fields))


def velocity(linear_measured: bool = True, angular_measured: bool = True) -> Velocity:
    linear, angular = np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3])
    return Velocity(linear, angular, np.eye(6) * 0.5, linear_measured, angular_measured)


@given(st.integers(0, 30), st.data())
def test_matches_survive_the_wire(count, data):
    points = [
        data.draw(arrays(np.float32, (count, 2), elements=st.floats(-1e4, 1e4, width=32)))
        for _ in range(2)
    ]
    confidence = data.draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32)))
    tracks = data.draw(arrays(np.uint32, count))
    matched = Correspondences(*points, confidence, tracks, np.zeros(count, bool))
    message = on_the_wire(
        correspondences_message(StereoMatch(LEFT, RIGHT, matched, 0, 0, 0.0, 0.0))
    )
    temporal, stereo = temporal_matches(message), stereo_matches(message)
    assert (temporal.reference_stamp, temporal.stamp) == (LEFT.stamp, RIGHT.stamp)
    assert (temporal.width, temporal.height, stereo.stamp) == (6, 4, LEFT.stamp)
    for found in (
        (temporal.reference_points, temporal.current_points, temporal.confidence),
        (stereo.left_points, stereo.right_points, stereo.confidence),
    ):
        for got, sent in zip(found, (*points, confidence), strict=True):
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got, sent)
    np.testing.assert_array_equal(temporal.track_id, tracks)
    np.testing.assert_array_equal(stereo.track_id, tracks)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"reference_points": [1.0, 2.0, 3.0]}, "reference_points has 3 numbers"),
        ({"current_points": [1.0, float("nan")]}, "current_points has numbers that are not finite"),
        ({"confidence": [1.0, 1.0]}, r"confidence has shape \(2,\)"),
    ],
)
def test_messages_that_contradict_themselves_are_refused(change, sentence):
    message = CorrespondencesMessage(
        width=6, height=4, reference_points=[1.0, 2.0], current_points=[1.0, 2.0],
        confidence=[1.0], track_id=[7],
    )  # fmt: skip
    temporal_matches(message)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ValueError, match=sentence):
        temporal_matches(message)


def test_a_camera_that_goes_ahead_moves_the_robot_along_its_x():
    ahead = estimate(Pose(np.eye(3), np.array([0.0, 0.0, 2.0])))
    message = on_the_wire(odometry_message(ahead, velocity(), LEVEL, "odom", "base_link"))
    assert (message.header.frame_id, message.child_frame_id) == ("odom", "base_link")
    assert message.header.stamp == header_of(RIGHT).stamp
    position, turn = message.pose.pose.position, message.pose.pose.orientation
    np.testing.assert_allclose((position.x, position.y, position.z), (2, 0, 0), atol=1e-12)
    np.testing.assert_allclose((turn.x, turn.y, turn.z, turn.w), (0, 0, 0, 1), atol=1e-12)
    # The camera's z deviation (variance 3) is the robot's x; its x (1) the robot's y.
    covariance = np.reshape(message.pose.covariance, (6, 6))
    np.testing.assert_allclose(np.diag(covariance)[3:], (6, 4, 5), atol=1e-12)
    assert covariance[0, 0] == pytest.approx(3 + 0.5**2 * 4)  # and 0.5 m of lever about y
    assert message.twist.twist.linear.z == 3.0
    assert np.reshape(message.twist.covariance, (6, 6))[5, 5] == 0.5


def test_the_camera_of_a_robot_that_turns_moves_by_its_lever():
    ahead = Twist(linear=Vector3(x=1.0))
    assert camera_speed(ahead, LEVEL) == 1.0
    turning = Twist(angular=Vector3(z=2.0))
    assert camera_speed(turning, LEVEL) == pytest.approx(0.6)
    assert camera_speed(turning, Pose.identity()) == 0.0


@given(twists)
def test_the_transform_is_the_pose_of_the_odometry(twist):
    pose = Pose.exp(twist)
    message: Odometry = odometry_message(estimate(pose), velocity(), LEVEL, "odom", "base")
    sent = on_the_wire(transform_message(message))
    assert (sent.header, sent.child_frame_id) == (message.header, "base")
    expected = (LEVEL @ pose @ LEVEL.inverse).matrix
    np.testing.assert_allclose(pose_of_transform(sent).matrix, expected, atol=1e-9)


def test_relative_pose_says_what_the_estimate_says():
    lost = estimate(Pose.identity(), status=Status.LOST, reason="dark", scale=Scale.NONE)
    message = on_the_wire(
        relative_pose_message(lost, velocity(), header_of(RIGHT), header_of(LEFT))
    )
    assert (message.header, message.reference_header) == (header_of(RIGHT), header_of(LEFT))
    assert (message.status, message.reason) == (RelativePose.LOST, "dark")
    assert (message.match_count, message.landmark_count, message.inlier_count) == (90, 80, 70)
    np.testing.assert_array_equal(np.reshape(message.pose.covariance, (6, 6)), np.eye(6))


@pytest.mark.parametrize("measured", [(True, True), (False, True), (False, False)])
def test_relative_pose_says_whether_the_velocity_was_measured(measured):
    message = on_the_wire(
        relative_pose_message(
            estimate(Pose.identity()), velocity(*measured), header_of(RIGHT), header_of(LEFT)
        )
    )
    assert (message.linear_velocity_measured, message.angular_velocity_measured) == measured


def test_without_metres_a_robot_that_turns_on_the_spot_is_not_moved_by_its_lever():
    base = Pose.exp(np.array([0, 0, 0, 0, 0, np.pi / 2]))
    camera, unit_m = LEVEL.inverse @ base @ LEVEL, 0.05
    in_units = Pose(camera.rotation, camera.translation / unit_m)
    message = odometry_message(
        estimate(in_units, metric=False), velocity(), LEVEL, "odom", "base_link"
    )
    position, turn = message.pose.pose.position, message.pose.pose.orientation
    # The camera's way, along the robot's axes: from 0.3 m ahead to 0.3 m left.
    expected = np.array([-0.3, 0.3, 0.0]) / unit_m
    np.testing.assert_allclose((position.x, position.y, position.z), expected, atol=1e-9)
    np.testing.assert_allclose((turn.z, turn.w), np.sqrt([0.5, 0.5]))
    covariance = np.reshape(message.pose.covariance, (6, 6))
    np.testing.assert_array_equal(covariance[:3, :3], UNKNOWN_VARIANCE * np.eye(3))
    assert not covariance[:3, 3:].any()
    np.testing.assert_allclose(np.diag(covariance)[3:], (6, 4, 5), atol=1e-12)


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_its_constant(scale):
    message = relative_pose_message(
        estimate(Pose.identity(), scale=scale), velocity(), header_of(RIGHT), header_of(LEFT)
    )
    assert message.scale == getattr(RelativePose, f"SCALE_{scale.name}")
