"""The odometry node with TF, where tf2_ros is installed."""

from __future__ import annotations

import numpy as np
import pytest
from odometry_harness import OdometryClient, position

pytest.importorskip("tf2_ros", reason="tf2_ros is not installed; it comes with ROS")

from geometry_msgs.msg import Quaternion, TransformStamped, Vector3
from tf2_msgs.msg import TFMessage
from tf2_ros import StaticTransformBroadcaster

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.node.odometry.conversion import pose_of_transform
from coarse_loftr_ros.odometry.frames import mounting_of_camera

MOUNTED = mounting_of_camera((0.3, 0.1, 0.5), (0.0, 0.2, 0.0))


def camera(index: int) -> Pose:
    turn = Pose.exp(np.array([0, 0, 0, 0, -0.01 * index, 0]))
    return Pose(turn.rotation, np.array([0.0, 0.0, 0.05 * index]))


@pytest.fixture(scope="module")
def client(start_odometry) -> OdometryClient:
    return start_odometry(
        "/tf_odometry", "mode:=stereo", "mounting.source:=tf", "base_frame:=chassis"
    )


def test_the_mounting_of_tf_is_waited_for_and_used(client):
    client.send_cameras()
    for index in (0, 1):
        client.send_stereo(index, camera(index))
    client.temporal.publish(client.temporal_message((0, camera(0)), (1, camera(1))))
    client.process.wait_for_output("TF knows no transform from chassis to 'left'")
    assert client.odometry == []

    transform = TransformStamped(child_frame_id="left")
    transform.header.frame_id = "chassis"
    x, y, z = MOUNTED.translation.tolist()
    transform.transform.translation = Vector3(x=x, y=y, z=z)
    x, y, z, w = MOUNTED.quaternion
    transform.transform.rotation = Quaternion(x=x, y=y, z=z, w=w)
    StaticTransformBroadcaster(client.node).sendTransform(transform)
    client.spin(0.5)
    for index in range(2, 8):
        odometry, _ = client.step((index - 1, camera(index - 1)), (index, camera(index)))
    moved = MOUNTED @ camera(1).inverse @ camera(7) @ MOUNTED.inverse
    np.testing.assert_allclose(position(odometry), moved.translation, atol=0.01)


def test_the_pose_goes_to_tf(client):
    received: list[TFMessage] = []
    client.collect(TFMessage, "/tf", received)
    client.until(lambda: client.node.count_publishers("/tf"), "the broadcaster")
    client.spin(0.3)
    odometry, _ = client.step((7, camera(7)), (8, camera(8)))

    def found():
        return [
            t for m in received for t in m.transforms if t.header.stamp == odometry.header.stamp
        ]

    client.until(found, "the transform")
    (transform,) = found()
    assert (transform.header.frame_id, transform.child_frame_id) == ("odom", "chassis")
    np.testing.assert_array_equal(pose_of_transform(transform).translation, position(odometry))
