"""The odometry node with a stereo camera: refusals, the path, lost and found again."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest
from odometry_harness import FOCAL, OdometryClient, World, deviation, position
from sensor_msgs.msg import PointCloud2

from coarse_loftr_msgs.msg import RelativePose
from coarse_loftr_ros.cameras.pose import Pose

SPEED = 0.05  # metres ahead per image


def camera(index: int) -> Pose:
    """Ahead along z, in a curve to the left."""
    turn = Pose.exp(np.array([0, 0, 0, 0, -0.002 * index, 0]))
    return Pose(turn.rotation, np.array([-0.0001 * index**2, 0.0, SPEED * index]))


def truth(index: int) -> np.ndarray:
    """Where the robot is: x ahead, y left."""
    x, y, z = camera(index).translation
    return np.array([z, -x, -y])


def step(client: OdometryClient, index: int, reference: int | None = None):
    reference = index - 1 if reference is None else reference
    return client.step((reference, camera(reference)), (index, camera(index)))


@pytest.fixture(scope="module")
def client(start_odometry) -> OdometryClient:
    return start_odometry(
        "/stereo_odometry", "mode:=stereo", "diagnostics_period:=0.2", "stereo_wait:=0.3"
    )


def test_without_tf2_ros_the_node_says_that_nothing_goes_to_tf(client):
    absent = importlib.util.find_spec("tf2_ros") is None
    assert ("tf2_ros is not installed: nothing is sent on /tf" in client.process.output) == absent


def test_correspondences_without_camera_info_are_refused_in_words(client):
    for index in (0, 1):
        client.send_stereo(index, camera(index))
    client.temporal.publish(client.temporal_message((0, camera(0)), (1, camera(1))))
    client.process.wait_for_output("no camera_info has come on /stereo_odometry/left/camera_info")
    assert client.diagnostic("input")[2]["rejected: camera_info"] == "1"
    assert client.odometry == []


def test_the_path_is_the_truth_in_the_robots_axes(client):
    client.send_cameras()
    for index in range(2, 12):
        odometry, relative = step(client, index)
    assert (odometry.header.frame_id, odometry.child_frame_id) == ("odom", "base_link")
    # The first answer is of the first reference: there the path begins.
    begin = camera(1).inverse
    np.testing.assert_array_equal(position(client.odometry[0]), 0)
    x, y, z = (begin @ camera(11)).translation
    np.testing.assert_allclose(position(odometry), (z, -x, -y), atol=0.01)
    assert (relative.status, relative.scale) == (relative.OK, relative.SCALE_METRIC)
    assert relative.reference_header == client.header(10)
    np.testing.assert_allclose(relative.pose.pose.position.z, SPEED, atol=0.005)
    np.testing.assert_allclose(odometry.twist.twist.linear.x, 10 * SPEED, rtol=0.1)
    np.testing.assert_allclose(odometry.twist.twist.angular.z, 10 * 0.002, atol=0.005)
    assert (deviation(odometry) > 0).all()
    assert (deviation(odometry) < 0.05).all()


def test_the_error_is_what_the_covariance_says(client):
    odometry = client.odometry[-1]
    x, y, z = (camera(1).inverse @ camera(11)).translation
    error = position(odometry) - (z, -x, -y)
    assert (np.abs(error) < 4 * deviation(odometry)[:3]).all()


def test_the_path_message_shows_the_way_so_far(client):
    client.until(lambda: client.paths, "a path")
    assert client.paths[-1].header.frame_id == "odom"
    assert len(client.paths[-1].poses) >= 1


def test_stereo_matches_that_come_late_are_waited_for(client):
    client.temporal.publish(client.temporal_message((11, camera(11)), (12, camera(12))))
    client.spin(0.1)
    assert client.odometry[-1].header.stamp == client.header(11).stamp
    client.send_stereo(12, camera(12))
    _, relative = client.answer(12)
    assert relative.status == relative.OK
    _, relative = step(client, 13)
    assert relative.status == relative.OK


def test_lost_and_found_again_without_a_jump_and_with_an_honest_covariance(client):
    before = client.odometry[-1]
    # An image whose matches are nonsense, and the next one that starts from it.
    client.send_stereo(14, camera(14))
    nonsense = client.temporal_message((13, camera(13)), (14, camera(14)))
    rng = np.random.default_rng(1)
    nonsense.current_points = rng.uniform(0, 480, len(nonsense.current_points)).astype(np.float32)
    client.temporal.publish(nonsense)
    lost, relative = client.answer(14)
    assert relative.status == RelativePose.LOST
    assert relative.reason
    assert np.linalg.norm(position(lost) - position(before)) < 2 * SPEED
    assert (deviation(lost)[:3] > deviation(before)[:3]).all()
    assert lost.twist.twist == before.twist.twist
    assert np.reshape(lost.twist.covariance, (6, 6))[0, 0] >= 0.5**2
    assert not relative.linear_velocity_measured
    assert not relative.angular_velocity_measured
    found, relative = step(client, 15)
    assert relative.status == relative.OK
    assert np.linalg.norm(position(found) - position(lost)) < 2 * SPEED
    assert (deviation(found)[:3] >= 0.9 * deviation(lost)[:3]).all()
    assert relative.linear_velocity_measured
    assert relative.angular_velocity_measured
    assert np.reshape(found.twist.covariance, (6, 6))[0, 0] < 0.1**2
    assert client.diagnostic("odometry")[2]["results LOST"] == "1"


def test_a_matcher_that_started_over_is_no_jump_either(client):
    before = client.odometry[-1]
    client.send_stereo(17, camera(17))  # its first image has no temporal match
    odometry, relative = step(client, 18)
    gap = next(m for m in client.relative if m.header == client.header(17))
    assert gap.status == gap.LOST
    assert "is not connected with the ones before" in gap.reason
    assert relative.status == relative.OK
    assert np.linalg.norm(position(odometry) - position(before)) < 4 * SPEED
    assert (deviation(odometry)[:3] > deviation(before)[:3]).all()


def test_a_keyframe_stays_the_reference_for_many_images(client):
    for index in range(19, 24):
        odometry, relative = step(client, index, reference=18)
        assert relative.reference_header == client.header(18)
        assert relative.status == relative.OK
    np.testing.assert_allclose(odometry.twist.twist.linear.x, 10 * SPEED, rtol=0.2)


def test_without_stereo_matches_of_a_new_reference_the_motion_is_lost(client):
    client.temporal.publish(client.temporal_message((24, camera(24)), (25, camera(25))))
    _, relative = client.answer(25)
    assert relative.status == relative.LOST
    assert "the reference has no stereo matches" in relative.reason
    assert int(client.diagnostic("odometry")[2]["without stereo matches"]) >= 2
    assert "is the matcher's mode stereo" in client.process.output
    client.send_stereo(26, camera(26))
    _, relative = step(client, 27)
    assert relative.status == relative.OK


def test_messages_that_are_not_finite_are_counted_and_change_nothing(client):
    answers = len(client.odometry)
    client.send_stereo(28, camera(28))
    bad = client.temporal_message((27, camera(27)), (28, camera(28)))
    bad.current_points[3] = float("nan")
    client.temporal.publish(bad)
    client.process.wait_for_output("correspondences left out: temporal matches: current_points has")
    assert client.diagnostic("input")[2]["rejected: correspondences"] == "1"
    assert len(client.odometry) == answers
    _, relative = step(client, 28)
    assert relative.status == relative.OK


def test_reset_begins_a_new_path(client):
    answer = client.trigger("reset")
    assert answer.success
    odometry, relative = step(client, 29)
    assert relative.status == relative.OK
    np.testing.assert_allclose(np.linalg.norm(position(odometry)), SPEED, atol=0.01)
    # The robot was moving all the time: its first image is no word of a stop.
    first = next(m for m in reversed(client.odometry) if m.header.stamp == client.header(28).stamp)
    np.testing.assert_array_equal(position(first), 0)
    np.testing.assert_array_equal(np.reshape(first.twist.covariance, (6, 6)).diagonal(), 1e9)
    assert client.diagnostic("odometry")[2]["reset: asked"] == "1"


def test_another_camera_starts_over_with_a_warning(client):
    client.send_cameras(focal=FOCAL * 2)
    assert "camera_info changed from 640x480 fx 400" in client.process.output
    assert int(client.diagnostic("odometry")[2]["reset: camera"]) >= 1
    client.send_cameras()
    _, relative = step(client, 30)
    assert relative.status == relative.OK


def test_time_that_goes_back_starts_over_with_a_warning(client):
    client.start_ns -= 550_000_000
    client.send_stereo(30, camera(30))
    odometry, relative = step(client, 31)
    assert relative.status == relative.OK
    assert np.linalg.norm(position(odometry)) < 2 * SPEED
    assert "odometry starts over" in client.process.output


def test_landmarks_are_the_world_as_the_left_camera_sees_it_while_someone_looks(client):
    clouds: list[PointCloud2] = []
    topic = "odometry/landmarks"
    subscription = client.node.create_subscription(PointCloud2, topic, clouds.append, 10)
    client.until(lambda: client.node.count_publishers(topic), "the landmarks' publisher")
    client.settle()
    step(client, 32)
    client.until(lambda: clouds, "landmarks")
    cloud = clouds[-1]
    assert cloud.header == client.header(32)
    assert [(field.name, field.offset) for field in cloud.fields] == [("x", 0), ("y", 4), ("z", 8)]
    points = np.frombuffer(cloud.data, "<f4").reshape(-1, 3)
    assert len(points) == cloud.width > 100
    world = camera(32).inverse.apply(client.world.points)
    distance = np.linalg.norm(points[:, None] - world[None], axis=2).min(axis=1)
    assert np.median(distance / points[:, 2]) < 0.02
    client.node.destroy_subscription(subscription)


def test_images_of_another_size_are_refused(client):
    client.send_stereo(33, camera(33))
    message = client.temporal_message((32, camera(32)), (33, camera(33)))
    message.width = 320
    before = int(client.diagnostic("input")[2]["rejected: camera_info"])
    client.temporal.publish(message)
    client.until(
        lambda: int(client.diagnostic("input")[2]["rejected: camera_info"]) > before,
        "the refusal",
    )


def test_an_image_without_texture_is_no_defect(client):
    client.world = dataclasses.replace(client.world, points=World.cloud().points[:0])
    _, relative = step(client, 33)
    assert relative.status == relative.LOST
    assert relative.match_count == 0


def test_never_was_a_number_not_finite(client):
    for message in client.odometry:
        assert np.isfinite(position(message)).all()
        assert np.isfinite(message.pose.covariance).all()
        assert np.isfinite(message.twist.covariance).all()
