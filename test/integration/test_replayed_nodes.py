"""`coarse-loftr replay` writes what both nodes publish for the same recording, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odometry_harness import through_both_nodes
from ros_harness import PERIOD_NS, scene, view
from rosbags.highlevel import AnyReader

from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.commands import cli
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.node.common.conversion import stamp_ns
from coarse_loftr_ros.recordings.bags.messages import calibration_message, image_message
from coarse_loftr_ros.recordings.bags.writer import BagWriter

WIDTH, HEIGHT, FOCAL, BASELINE = 320, 240, 300.0, 0.1
DISPARITY, STEP, COUNT = 10, 4, 6
STEREO = "/matcher/stereo/correspondences"
MATRIX = (FOCAL, 0.0, 159.5, 0.0, FOCAL, 119.5, 0.0, 0.0, 1.0)


def camera(baseline: float) -> Calibration:
    """A lens that bends a little, so that rectified images are others than raw ones."""
    projection = (*MATRIX[:3], -FOCAL * baseline, *MATRIX[3:6], 0.0, *MATRIX[6:], 0.0)
    bend = (-0.05, 0.01, 0.0, 0.0, 0.0)
    turn = tuple(np.eye(3).ravel().tolist())
    return Calibration(WIDTH, HEIGHT, "plumb_bob", bend, MATRIX, turn, projection)


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    """Two raw cameras that slide along a wall."""
    path = tmp_path_factory.mktemp("raw") / "slide.mcap"
    wall = scene()
    with BagWriter(path) as writer:
        for k in range(COUNT):
            for side, shift, place in (("left", 0, 0.0), ("right", DISPARITY, BASELINE)):
                image = view(wall, STEP * k + shift, 0)
                frame = Frame(image, 1_000_000_000 + k * PERIOD_NS, side)
                topic = f"/replayed/{side}"
                info = calibration_message(frame, camera(place))
                writer.write(f"{topic}/camera_info", frame.stamp, info)
                writer.write(f"{topic}/image", frame.stamp, image_message(frame))
    return path


@pytest.fixture(scope="module")
def replayed(bag, tmp_path_factory) -> dict[str, list[Any]]:
    """Messages of the replay's recording, by topic."""
    output = tmp_path_factory.mktemp("replayed") / "out.mcap"
    eyes = ("--left", "/replayed/left/image", "--right", "/replayed/right/image")
    options = ("--rectify", "--odometry", "--pairing", "keyframe", "--threads", "1")
    assert cli.main(["replay", str(bag), "-o", str(output), *eyes, *options]) == 0
    found: dict[str, list[Any]] = {}
    with AnyReader([output]) as reader:
        for connection, _, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            found.setdefault(connection.topic, []).append(message)
    return found


def values(message: Any) -> list[Any]:
    """All numbers and words of a message of ROS or of a recording, in order."""
    if hasattr(message, "get_fields_and_field_types"):
        names = list(message.get_fields_and_field_types())
    else:
        names = [name for name in message.__dataclass_fields__ if name.islower()]
        names.remove("__msgtype__")
    found = []
    for name in names:
        value = getattr(message, name)
        plain = isinstance(value, int | float | str | np.generic)
        if plain or hasattr(value, "__len__"):
            found.append((name, value if plain else np.asarray(value).tolist()))
        else:
            found += values(value)
    return found


def with_smaller_ids(message: Any, less: int) -> Any:
    """The message, its identities made smaller where it has some."""
    if hasattr(message, "track_id"):
        message.track_id = [number - less for number in message.track_id]
    return message


def test_the_recording_holds_what_both_nodes_publish(bag, replayed):
    client = through_both_nodes(
        "/replayed",
        bag,
        COUNT,
        "rectify:=true",
        "pairing:=keyframe",
        f"expected_width:={WIDTH}",
        f"expected_height:={HEIGHT}",
    )
    # Identities go on after a reset: those of the node, which matched before, are larger.
    used = client.stereo_matches[0].track_id[0] - replayed[STEREO][0].track_id[0]
    assert used > 0
    for topic, published in {
        "/matcher/correspondences": client.matches,
        STEREO: client.stereo_matches,
        "/odometry/odometry": client.odometry,
        "/odometry/relative_pose": client.relative,
    }.items():
        written = replayed[topic]
        assert len(written) == len(published) >= COUNT - 1, topic
        for ours, theirs in zip(written, published, strict=True):
            assert values(ours) == values(with_smaller_ids(theirs, used)), topic


def test_cameras_and_transforms_are_beside_it(bag, replayed):
    infos = [*replayed["/replayed/left/camera_info"], *replayed["/replayed/right/camera_info"]]
    with AnyReader([bag]) as reader:
        connections = [c for c in reader.connections if c.topic.endswith("/camera_info")]
        given = [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages(connections)]
    given.sort(key=lambda info: (info.header.frame_id, stamp_ns(info.header.stamp)))
    assert [values(info) for info in infos] == [values(info) for info in given]
    poses = [(m.header, m.child_frame_id, m.pose.pose) for m in replayed["/odometry/odometry"]]
    for transforms, (header, child, pose) in zip(replayed["/tf"], poses, strict=True):
        (sent,) = transforms.transforms
        assert (sent.header, sent.child_frame_id) == (header, child)
        assert sent.transform.rotation == pose.orientation
        assert sent.transform.translation.y == pose.position.y
