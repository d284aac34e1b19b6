"""What the node says while its lengths are no metres."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

import rclpy
from geometry_msgs.msg import TransformStamped
from odometry_scenes import CAMERA, HEIGHT, STEP_NS, WIDTH, Scene, cloud, drive, stamp
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from coarse_loftr_msgs.msg import Correspondences
from coarse_loftr_ros.node.common.conversion import stamp_ns, time_message
from coarse_loftr_ros.node.common.input_diagnostics import Expectations
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.common.statistics import Statistics
from coarse_loftr_ros.node.odometry.cameras import LatestCameras
from coarse_loftr_ros.node.odometry.diagnostics import odometry_status
from coarse_loftr_ros.node.odometry.outputs import FrameIds, OdometryOutputs
from coarse_loftr_ros.node.odometry.parameter_table import PARAMETERS
from coarse_loftr_ros.node.odometry.parameters import mounting, why_not_metric
from coarse_loftr_ros.node.odometry.path import DecimatedPath
from coarse_loftr_ros.node.odometry.tracking import Tracking
from coarse_loftr_ros.odometry.estimate import OdometryEstimate

COUNT = 10


@dataclass
class Transforms:
    """In the place of tf2_ros's broadcaster, which no package index has."""

    sent: list[TransformStamped] = field(default_factory=list)

    def send(self, transform: TransformStamped) -> None:
        self.sent.append(transform)

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = rclpy.Context()
    context.init(domain_id=1 + os.getpid() % 100)
    made = rclpy.create_node("odometry", context=context)
    yield made
    made.destroy_node()
    context.try_shutdown()


class Robot:
    """A tracking with the node's own outputs, on a camera that drives ahead by 0.4 m per image."""

    def __init__(self, node: Node, **values: Value) -> None:
        self.values = {name: row.default for name, row in PARAMETERS.items()} | values
        self.transforms, self.statistics = Transforms(), Statistics[OdometryEstimate]()
        self.path = DecimatedPath(0.0, 100)
        outputs = OdometryOutputs(node, FrameIds("odom", "base"), self.transforms, self.path, 1.0)
        mounted = mounting(self.values)
        self.tracking = Tracking(
            self.values, LatestCameras(("camera_info",)), lambda frame: mounted, outputs,
            self.statistics, lambda kind, sentence: None, lambda kind, sentence: None,
        )  # fmt: skip
        info = CameraInfo(width=WIDTH, height=HEIGHT)
        focal, cx, cy = CAMERA.fx, CAMERA.cx, CAMERA.cy
        info.p = [focal, 0.0, cx, 0.0, 0.0, focal, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
        self.tracking.change_camera(0, info)
        poses = drive(COUNT, turn_deg=0.0)
        self.scene = Scene(poses, cloud(poses, 2500, np.random.default_rng(0)), noise_px=0.1)

    def see(self, image: int) -> None:
        """What a matcher says of an image and the one before it."""
        matches = self.scene.temporal(image - 1, image)
        headers = [
            Header(stamp=time_message(at), frame_id="camera")
            for at in (matches.reference_stamp, matches.stamp)
        ]
        message = Correspondences(
            reference_header=headers[0], header=headers[1], width=WIDTH, height=HEIGHT,
            reference_width=WIDTH, reference_height=HEIGHT,
        )  # fmt: skip
        message.reference_points = matches.reference_points.ravel()
        message.current_points = matches.current_points.ravel()
        message.confidence, message.track_id = matches.confidence, matches.track_id
        self.tracking.add_temporal(message)

    def diagnostics(self) -> tuple[str, dict[str, str]]:
        snapshot = self.statistics.snapshot()
        expected = Expectations("message", 2.0, lambda names: "")
        status = odometry_status("/odometry", self.values["mode"], snapshot, None, expected)
        return status.message, {pair.key: pair.value for pair in status.values}


def test_a_unit_of_its_own_never_goes_to_tf_and_diagnostics_say_so(node):
    robot = Robot(node, mode="mono")
    for image in range(1, COUNT):
        robot.see(image)
    assert robot.transforms.sent == []
    message, values = robot.diagnostics()
    assert message == "OK; lengths are in a unit of their own, not metres"
    assert values["lengths"] == "in a unit of their own, not metres"
    assert values["scale"] == "unit"
    assert "position deviation (units)" in values
    assert values["linear velocity not measured"] == str(COUNT)


def test_tf_begins_with_metres_and_the_path_has_one_unit(node):
    robot = Robot(node, mode="mono", **{"mono.scale": "external"})
    for image in range(1, 4):
        robot.see(image)
    # Where the robot begins is so in any unit; what it moved is not.
    assert [stamp_ns(sent.header.stamp) for sent in robot.transforms.sent] == [stamp(0)]
    assert "not metres" in robot.diagnostics()[0]
    for image in range(4, COUNT):
        robot.tracking.speeds.add(stamp(image), 0.4 / (STEP_NS / 1e9))
        robot.see(image)
    sent = {stamp_ns(each.header.stamp): each for each in robot.transforms.sent}
    assert sorted(sent) == [stamp(0), *map(stamp, range(4, COUNT))]
    ahead = sent[stamp(COUNT - 1)].transform.translation.x
    assert ahead == pytest.approx(0.4 * (COUNT - 1), rel=0.05)
    assert [stamp_ns(pose.header.stamp) for pose in robot.path.poses] == [
        stamp(image) for image in range(4, COUNT)
    ]
    message, values = robot.diagnostics()
    assert message == "OK"
    assert values["lengths"] == "metres"
    assert "position deviation (m)" in values


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"mode": "stereo"}, ""),
        ({"mode": "mono"}, "mono.scale is unit"),
        ({"mode": "mono", "mono.scale": "external"}, ""),
        ({"mode": "planar"}, "planar.altitude_m is 0 and altitude_source is parameter"),
        ({"mode": "planar", "planar.altitude_m": 3.0}, ""),
        ({"mode": "planar", "altitude_source": "range"}, ""),
    ],
)
def test_parameters_that_never_give_metres_are_named(values, why):
    defaults = {name: row.default for name, row in PARAMETERS.items()}
    assert why_not_metric(defaults | values) == why
