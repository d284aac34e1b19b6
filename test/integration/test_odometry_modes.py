"""One camera: where lengths come from, the ground below, and the files of configuration."""

from __future__ import annotations

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from nav_msgs.msg import Odometry
from odometry_harness import (
    PERIOD_NS,
    OdometryClient,
    OdometryProcess,
    World,
    position,
)
from ros_harness import RELIABLE
from sensor_msgs.msg import Range

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.node.common.conversion import time_message

ALTITUDE = 5.0
DOWN = ("mounting.pitch:=1.5707963", "mounting.z:=-0.2")


def sideways(index: int) -> Pose:
    """Ahead and to the right, without a turn."""
    return Pose(np.eye(3), np.array([0.06 * index, 0.0, 0.08 * index]))


def over_ground(index: int) -> Pose:
    """Ahead over the ground; the top of a downward camera's image is ahead."""
    return Pose(np.eye(3), np.array([0.0, -0.1 * index, 0.0]))


def follow(client: OdometryClient, camera, count: int, before=lambda index: None):
    for index in range(1, count):
        before(index)
        answer = client.step((index - 1, camera(index - 1)), (index, camera(index)))
    return answer


@pytest.fixture(scope="module")
def mono(start_odometry) -> OdometryClient:
    return start_odometry("/unit", "mode:=mono", "mounting.x:=0.5")


def test_one_camera_alone_has_a_unit_of_its_own(mono):
    mono.send_cameras()
    odometry, relative = follow(mono, sideways, 8)
    assert relative.scale == relative.SCALE_UNIT
    assert relative.status == relative.OK
    way = position(odometry)
    np.testing.assert_allclose(np.linalg.norm(way), 7.0, rtol=0.05)
    np.testing.assert_allclose(way / np.linalg.norm(way), (0.8, -0.6, 0), atol=0.02)


def test_a_unit_of_its_own_is_not_taken_for_metres(mono):
    assert "mono.scale is unit: lengths are in a unit of their own" in mono.process.output
    odometry, relative = mono.odometry[-1], mono.relative[-1]
    for part in (odometry.pose, odometry.twist):
        deviations = np.sqrt(np.diag(np.reshape(part.covariance, (6, 6))))
        assert (deviations[:3] > 30_000).all()
        assert (deviations[3:] < 0.1).all()
    assert (relative.linear_velocity_measured, relative.angular_velocity_measured) == (False, True)
    assert mono.diagnostic("odometry")[2]["lengths"] == "in a unit of their own, not metres"
    assert mono.node.count_publishers("/tf") == 0


def test_another_odometry_gives_one_camera_its_lengths(start_odometry):
    client = start_odometry("/external", "mode:=mono", "mono.scale:=external")
    publisher = client.node.create_publisher(Odometry, "external_odometry", RELIABLE)
    client.until(publisher.get_subscription_count, "the subscription of external_odometry")
    client.settle()
    client.send_cameras()

    def wheels(index: int, frame: str = "", speed: float = 1.0) -> None:
        # The twist is of base_link, of the camera, or of whoever does not say; a camera without a
        # turn moves as the robot does.
        message = Odometry(child_frame_id=frame or ("base_link", "", "left")[index % 3])
        message.header.stamp = time_message(client.start_ns + index * PERIOD_NS)
        message.twist.twist.linear.x = speed  # 0.1 m per image
        publisher.publish(message)
        client.spin(0.05)

    odometry, relative = follow(client, sideways, 10, wheels)
    assert relative.scale == relative.SCALE_EXTERNAL
    np.testing.assert_allclose(position(odometry), (0.72, -0.54, 0), atol=0.06)
    wheels(10, "wheel_left")
    client.process.wait_for_output(
        "external_odometry left out: its child_frame_id, whose twist it gives, is 'wheel_left' and "
        "base_frame is 'base_link'"
    )
    for impossible in (1e30, np.nan):
        wheels(10, "base_link", impossible)
    client.until(
        lambda: client.diagnostic("input")[2]["rejected: external_odometry"] == "3",
        "three rejections",
    )


def test_deactivate_closes_the_topics_and_activate_begins_anew(mono):
    client = mono
    assert client.transition(Transition.TRANSITION_DEACTIVATE)
    client.until(
        lambda: (
            client.temporal.get_subscription_count() == 0
            and client.node.count_publishers("odometry/odometry") == 0
        ),
        "the topics to close",
    )
    assert client.diagnostic("odometry")[1] == "not active (inactive)"
    assert client.transition(Transition.TRANSITION_ACTIVATE)
    client.connect()
    client.send_cameras()
    client.odometry.clear()
    client.step((7, sideways(7)), (8, sideways(8)))
    np.testing.assert_array_equal(position(client.odometry[0]), 0)


@pytest.mark.parametrize("source", ["parameter", "range"])
def test_over_ground_the_altitude_gives_lengths(start_odometry, source):
    given = (
        (f"planar.altitude_m:={ALTITUDE}",)
        if source == "parameter"
        else ("altitude_source:=range",)
    )
    client = start_odometry(f"/over_{source}", "mode:=planar", *DOWN, *given)
    client.world = World.plane(ALTITUDE)
    client.send_cameras()
    publisher = client.node.create_publisher(Range, "range", RELIABLE)
    if source == "range":
        client.until(publisher.get_subscription_count, "the subscription of range")
        client.settle()

    def measure(index: int) -> None:
        for when in (index - 1, index):
            message = Range(min_range=0.1, max_range=40.0, range=ALTITUDE)
            message.header.stamp = time_message(client.start_ns + when * PERIOD_NS)
            publisher.publish(message)
        for least, most, said in ((0.1, 40.0, np.inf), (0.0, 1e38, 1e30), (0.1, 40.0, np.nan)):
            nothing = Range(min_range=least, max_range=most, range=said)
            nothing.header.stamp = time_message(client.start_ns + index * PERIOD_NS)
            publisher.publish(nothing)
        client.spin(0.05)

    odometry, relative = follow(
        client, over_ground, 10, measure if source == "range" else lambda index: None
    )
    assert relative.status == relative.OK
    expected = relative.SCALE_EXTERNAL if source == "range" else relative.SCALE_GROUND_PLANE
    assert relative.scale == expected
    np.testing.assert_allclose(position(odometry), (0.9, 0, 0), atol=0.03)


def test_a_parameter_file_of_the_package_configures_the_node(repository):
    node = OdometryProcess("/filed", file=repository / "config" / "odometry_planar.yaml")
    try:
        node.wait_for_output("planar odometry of /filed/matcher/correspondences")
        assert "has no effect" not in node.output
    finally:
        assert node.stop() == 0


def test_bad_parameters_are_refused_at_start_in_words():
    node = OdometryProcess("/refused", "mode:=both")
    assert node.wait() == 1
    assert "parameter 'mode' is 'both'; allowed are stereo, mono, planar" in node.output
    assert "Traceback" not in node.output
