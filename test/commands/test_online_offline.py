"""The node over DDS and `coarse-loftr replay` give the same numbers for the same recording."""

import os
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from coarse_loftr_ros.commands.demo.node_process import NodeProcess
from coarse_loftr_ros.recordings.bags.reader import BagReader

pytest.importorskip("rclpy", reason="no ROS in this environment")


def stamp(header) -> int:
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec


@pytest.fixture
def localhost(monkeypatch: pytest.MonkeyPatch) -> int:
    """A ROS domain of this test's own."""
    domain = 1 + (os.getpid() + 50) % 100
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    return domain


def test_node_and_replay_agree_to_the_bit(
    run_tool, flight_bag: Path, localhost: int, tmp_path: Path
) -> None:
    from coarse_loftr_ros.commands.demo.player import Player

    done = run_tool("replay", flight_bag, "-o", tmp_path / "out.mcap", "--threads", "1")
    assert done.returncode == 0, done.stderr
    offline = {}
    with AnyReader([tmp_path / "out.mcap"]) as reader:
        for connection, _, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            offline[connection.topic, stamp(message.header)] = message

    parameters = {"threads": 1, "freshness": "all", "image_reliability": "reliable"}
    log = tmp_path / "node.log"
    with (
        NodeProcess(parameters, log, os.environ) as node,
        Player(localhost, compressed=False) as player,
        BagReader(flight_bag) as reader,
    ):
        player.wait_for_matcher(60.0, node.check)
        player.play(reader.messages([reader.choose()]), node.check)
        player.wait_for_answers(quiet_s=10.0, timeout_s=60.0)
        online = player.answers

    assert sorted(online.homographies) == [s for t, s in sorted(offline) if "homography" in t]
    for key, homography in online.homographies.items():
        expected = offline["/matcher/homography", key]
        assert stamp(homography.reference_header) == stamp(expected.reference_header)
        np.testing.assert_array_equal(homography.matrix, expected.matrix)
        assert homography.inlier_count == expected.inlier_count
        points, expected = online.correspondences[key], offline["/matcher/correspondences", key]
        for name in ("reference_points", "current_points", "confidence", "inlier", "track_id"):
            np.testing.assert_array_equal(getattr(points, name), getattr(expected, name), name)
