"""A recording through both nodes over DDS gives what the same code gives without ROS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from odometry_harness import position, through_both_nodes
from ros_harness import PERIOD_NS, scene, view

from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Keyframe, KeyframeRule
from coarse_loftr_ros.matching.result import MatchResult, StereoMatch
from coarse_loftr_ros.node.common.conversion import stamp_ns, time_message
from coarse_loftr_ros.odometry.estimate import OdometryEstimate
from coarse_loftr_ros.odometry.frames import base_covariance, base_in_odom, mounting_of_camera
from coarse_loftr_ros.odometry.observations import StereoMatches, StereoRig, TemporalMatches
from coarse_loftr_ros.odometry.stereo import StereoOdometry
from coarse_loftr_ros.recordings.bags.messages import image_message
from coarse_loftr_ros.recordings.bags.types import typestore
from coarse_loftr_ros.recordings.bags.writer import BagWriter

WIDTH, HEIGHT, FOCAL, BASELINE = 320, 240, 300.0, 0.1
DISPARITY, STEP, COUNT = 10, 4, 8
DEPTH = FOCAL * BASELINE / DISPARITY  # metres to the wall that the camera slides along
CAMERA = Intrinsics(FOCAL, FOCAL, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
LEVEL = mounting_of_camera((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
NODE = ("pairing:=keyframe", f"expected_width:={WIDTH}", f"expected_height:={HEIGHT}")


def frames() -> list[tuple[Frame, Frame]]:
    wall = scene()
    return [
        (
            Frame(view(wall, STEP * k, 0), 1_000_000_000 + k * PERIOD_NS, "left"),
            Frame(view(wall, STEP * k + DISPARITY, 0), 1_000_000_000 + k * PERIOD_NS, "right"),
        )
        for k in range(COUNT)
    ]


def camera_info(frame: Frame, baseline: float) -> object:
    types = typestore().types
    seconds, nanoseconds = divmod(frame.stamp, 1_000_000_000)
    region = types["sensor_msgs/msg/RegionOfInterest"]
    header = types["std_msgs/msg/Header"](
        types["builtin_interfaces/msg/Time"](seconds, nanoseconds), frame.frame_id
    )
    shift = 0.0 - FOCAL * baseline
    return types["sensor_msgs/msg/CameraInfo"](
        header=header,
        height=HEIGHT,
        width=WIDTH,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=CAMERA.matrix().ravel(),
        r=np.eye(3).ravel(),
        p=np.column_stack([CAMERA.matrix(), (shift, 0, 0)]).ravel(),
        binning_x=0,
        binning_y=0,
        roi=region(0, 0, 0, 0, False),
    )


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    """Two cameras that slide along a wall, as a recording."""
    path = tmp_path_factory.mktemp("stereo") / "slide.mcap"
    with BagWriter(path) as writer:
        for left, right in frames():
            for side, frame in (("left", left), ("right", right)):
                info = camera_info(frame, BASELINE if side == "right" else 0.0)
                writer.write(f"/both/{side}/camera_info", frame.stamp, info)
                writer.write(f"/both/{side}/image", frame.stamp, image_message(frame))
    return path


def without_ros() -> list[OdometryEstimate]:
    """The estimates of the same frames in one process."""
    pipeline = Pipeline(
        PipelineSettings(threads=1), MatchSettings(), Keyframe(KeyframeRule()), (WIDTH, HEIGHT)
    )
    odometry = StereoOdometry(StereoRig(CAMERA, CAMERA, BASELINE))
    estimates = []
    for left, right in frames():
        result = pipeline.process_stereo(left, right, rectified=True)
        temporal = None if result.temporal is None else temporal_of(result.temporal)
        stereo = stereo_of(result.stereo)
        estimates.append(odometry.update(temporal, stereo, stamp=left.stamp))
    return estimates


def temporal_of(result: MatchResult) -> TemporalMatches:
    points = result.correspondences
    return TemporalMatches(
        result.reference.stamp, result.current.stamp, points.reference_points,
        points.current_points, points.confidence, points.track_id, WIDTH, HEIGHT,
    )  # fmt: skip


def stereo_of(match: StereoMatch) -> StereoMatches:
    points = match.correspondences
    return StereoMatches(
        match.left.stamp, points.reference_points, points.current_points, points.confidence,
        points.track_id,
    )  # fmt: skip


def test_both_nodes_give_the_trajectory_of_the_code_without_ros(bag):
    client = through_both_nodes("/both", bag, COUNT, *NODE)

    expected = without_ros()
    assert [stamp_ns(m.header.stamp) for m in client.odometry] == [e.stamp for e in expected]
    for message, relative, estimate in zip(client.odometry, client.relative, expected, strict=True):
        base = base_in_odom(estimate.pose, LEVEL)
        np.testing.assert_allclose(position(message), base.translation, rtol=0, atol=1e-9)
        turn = message.pose.pose.orientation
        np.testing.assert_allclose(
            (turn.x, turn.y, turn.z, turn.w), base.quaternion, rtol=0, atol=1e-9
        )
        np.testing.assert_allclose(
            np.reshape(message.pose.covariance, (6, 6)),
            base_covariance(estimate.pose, estimate.covariance, LEVEL),
            rtol=1e-6,
            atol=1e-15,
        )
        assert relative.status == estimate.status
        assert relative.inlier_count == estimate.inliers
        assert relative.reference_header.stamp == time_message(estimate.reference_stamp)
    # And that is where the camera was: it slid to its right.
    travelled = STEP * (COUNT - 1) * DEPTH / FOCAL
    np.testing.assert_allclose(position(client.odometry[-1]), (0, -travelled, 0), atol=0.01)
