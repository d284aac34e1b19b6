"""What a node let go of is gone at once, not when Python's collector comes by."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

import rclpy
from detectors import bright_detector

from coarse_loftr_ros.node.mask.node import MaskNode
from coarse_loftr_ros.node.matcher.node import MatcherNode
from coarse_loftr_ros.node.odometry.node import OdometryNode

SMALL = ("expected_width:=64", "expected_height:=64", "threads:=1", "use_mask:=true")


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (MatcherNode, ("rectify:=true", *SMALL)),
        (MatcherNode, ("mode:=stereo", *SMALL)),
        (OdometryNode, ("mode:=stereo", "mounting.source:=parameter", "publish_tf:=false")),
        (OdometryNode, ("mode:=mono", "mounting.source:=parameter", "publish_tf:=false")),
        (MaskNode, ("detector:={folder}/bright.yaml",)),
    ],
)
def test_deactivate_and_cleanup_leave_nothing(without_collector, tmp_path, kind, parameters):
    bright_detector(tmp_path)
    arguments = ["--ros-args", "-p", "autostart:=false"]
    for parameter in parameters:
        arguments += ["-p", parameter.format(folder=tmp_path)]
    rclpy.init(args=arguments)
    try:
        node = kind()
        node.trigger_configure()
        node.trigger_activate()
        parts = [node._active, *vars(node._active).values(), node._prepared]
        held = []
        for part in parts:
            if part is not node and type(part).__module__.startswith("coarse_loftr_ros"):
                held.append(weakref.ref(part))
        assert len(held) >= 5
        del part, parts
        node.trigger_deactivate()
        node.trigger_cleanup()
        assert [each() for each in held if each() is not None] == []
        node.destroy_node()
    finally:
        rclpy.shutdown()
