"""What happens to correspondences between the topics and the odometry."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from coarse_loftr_msgs.msg import Correspondences
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.node.common.conversion import time_message
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.common.statistics import Statistics
from coarse_loftr_ros.node.odometry.cameras import LatestCameras
from coarse_loftr_ros.node.odometry.conversion import odometry_message
from coarse_loftr_ros.node.odometry.parameter_table import PARAMETERS
from coarse_loftr_ros.node.odometry.tracking import Tracking
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale
from coarse_loftr_ros.odometry.frames import mounting_of_camera

WIDTH, HEIGHT, FOCAL, BASELINE = 640, 480, 400.0, 0.12
SECOND = 1_000_000_000
RNG = np.random.default_rng(5)
POINTS = RNG.uniform((-4, -3, 3), (4, 3, 12), (400, 3))
PLANE = np.column_stack([RNG.uniform((-5, -4), (5, 4), (400, 2)), np.full(400, 6.0)])


class Recorder:
    """Outputs that keep what they are given."""

    def __init__(self) -> None:
        self.estimates: list[OdometryEstimate] = []
        self.path: list[object] = []

    def publish(self, estimate, velocity, mounting, headers) -> None:
        odometry_message(estimate, velocity, mounting, "odom", "base_link")
        self.estimates.append(estimate)

    def publish_landmarks(self, landmarks, header) -> None:
        landmarks()


class World:
    """A tracking, what it said, and matches of a camera that goes ahead by 5 cm per image."""

    def __init__(self, **values: Value) -> None:
        self.values = {name: row.default for name, row in PARAMETERS.items()} | values
        self.stereo = self.values["mode"] == "stereo"
        self.points = PLANE if self.values["mode"] == "planar" else POINTS
        self.outputs, self.statistics = Recorder(), Statistics[OdometryEstimate]()
        self.sentences: list[str] = []
        topics = ("/left/camera_info", "/right/camera_info") if self.stereo else ("/camera_info",)
        pitch = np.pi / 2 if self.values["mode"] == "planar" else 0.0
        mounting = mounting_of_camera((0.0, 0.0, 0.0), (0.0, pitch, 0.0))
        self.tracking = Tracking(
            self.values, LatestCameras(topics), lambda frame: mounting, self.outputs,
            self.statistics, self.say, self.say,
        )  # fmt: skip
        for side, _ in enumerate(topics):
            info = CameraInfo(width=WIDTH, height=HEIGHT)
            shift = 0.0 - FOCAL * BASELINE * side
            info.p = [FOCAL, 0.0, 319.5, shift, 0.0, FOCAL, 239.5, 0.0, 0.0, 0.0, 1.0, 0.0]
            self.tracking.change_camera(side, info)

    def say(self, kind: str, sentence: str) -> None:
        self.sentences.append(sentence)

    def seen(self, index: int, shift: float = 0.0) -> np.ndarray:
        local = self.points - (shift, 0, 0.05 * index)
        pixels = FOCAL * local[:, :2] / local[:, 2:] + (319.5, 239.5)
        return np.where(((pixels > 0) & (pixels < (WIDTH, HEIGHT))).all(1)[:, None], pixels, np.nan)

    @staticmethod
    def message(times: tuple[float, float], before: np.ndarray, now: np.ndarray) -> Correspondences:
        both = np.flatnonzero(np.isfinite(before + now).all(1))
        headers = [Header(stamp=time_message(round(s * SECOND)), frame_id="left") for s in times]
        message = Correspondences(
            reference_header=headers[0], header=headers[1], width=WIDTH, height=HEIGHT,
            reference_width=WIDTH, reference_height=HEIGHT,
        )  # fmt: skip
        message.reference_points = before[both].astype(np.float32).ravel()
        message.current_points = now[both].astype(np.float32).ravel()
        message.confidence = np.ones(len(both), np.float32)
        message.track_id = both.astype(np.uint32)
        return message

    def temporal(self, index: int, start: float = 100.0) -> Correspondences:
        """Image ``index`` with the one before; they are 0.1 s apart."""
        times = start + 0.1 * (index - 1), start + 0.1 * index
        return self.message(times, self.seen(index - 1), self.seen(index))

    def stereo_message(self, index: int, start: float = 100.0) -> Correspondences:
        time = start + 0.1 * index
        return self.message((time, time), self.seen(index), self.seen(index, BASELINE))


def test_a_reference_of_another_size_is_refused():
    world = World(mode="mono")
    message = world.temporal(1)
    message.reference_width = 320
    world.tracking.add_temporal(message)
    assert world.outputs.estimates == []
    assert world.statistics.snapshot().rejected == {"camera_info": 1}
    assert "image is 320x480, camera_info describes 640x480" in world.sentences[-1]
    message.reference_width = message.reference_height = 0  # who sent it does not say
    world.tracking.add_temporal(message)
    assert world.outputs.estimates[-1].status == Status.OK


def test_stereo_matches_of_another_size_are_left_out():
    world = World(mode="stereo")
    for index in (0, 1):
        world.tracking.add_stereo(world.stereo_message(index))
    world.tracking.add_temporal(world.temporal(1))
    assert world.outputs.estimates[-1].status == Status.OK
    other = world.stereo_message(2)
    other.width = 320
    world.tracking.add_stereo(other)
    world.tracking.add_temporal(world.temporal(2))
    assert world.outputs.estimates[-1].status == Status.OK  # by those of the reference
    assert world.statistics.snapshot().rejected == {"stereo": 1}
    assert world.sentences[-1].startswith(
        "stereo correspondences left out: /left/camera_info: image"
    )


def test_after_time_went_back_speeds_of_the_new_time_give_the_length():
    world = World(mode="mono", **{"mono.scale": "external"})
    for number in range(300):  # more than are kept
        world.tracking.speeds.add(round((99.9 + 0.01 * number) * SECOND), 0.5)
    for index in range(1, 4):
        world.tracking.add_temporal(world.temporal(index))
    for number in range(30):
        world.tracking.speeds.add(round((9.9 + 0.02 * number) * SECOND), 0.25)
    for index in range(1, 4):
        world.tracking.add_temporal(world.temporal(index, start=10.0))
    assert world.statistics.snapshot().resets == {"time": 1}
    last = world.outputs.estimates[-1]
    assert (last.status, last.scale) == (Status.OK, Scale.EXTERNAL)
    assert np.linalg.norm(last.pose.translation) == pytest.approx(0.075, rel=0.02)
    assert world.tracking.speeds.nearest(100 * SECOND, SECOND) is None
    assert world.tracking.mounting is not None


MODES = {
    "stereo": {"mode": "stereo"},
    "unit": {"mode": "mono"},
    "ground_plane": {
        "mode": "mono", "mono.scale": "ground_plane", "mono.camera_height_m": 1.5,
    },
    "external": {"mode": "mono", "mono.scale": "external"},
    "planar": {"mode": "planar", "planar.altitude_m": 6.0},
    "range": {"mode": "planar", "altitude_source": "range"},
}  # fmt: skip


def play(world: World, start: float, wrong_sensors: bool = False) -> list[OdometryEstimate]:
    """Six images; what the odometry answers to them."""
    world.outputs.estimates.clear()
    for index in range(1, 6):
        stamp = round((start + 0.1 * index) * SECOND)
        world.tracking.speeds.add(stamp, 3.0 if wrong_sensors else 0.5)
        world.tracking.ranges.add(stamp, 1.0 if wrong_sensors else 6.0 - 0.05 * index)
        if world.stereo:
            for eye in (0, 1) if index == 1 else (index,):
                world.tracking.add_stereo(world.stereo_message(eye, start))
        world.tracking.add_temporal(world.temporal(index, start))
    return list(world.outputs.estimates)


def numbers(estimates: list[OdometryEstimate]) -> np.ndarray:
    """Poses and covariances, float64 [N, 52], without what names or times an image."""
    parts = [(each.pose.matrix, each.covariance) for each in estimates]
    return np.array([np.concatenate([part.ravel() for part in both]) for both in parts])


@pytest.mark.parametrize("mode", MODES)
def test_equal_matches_give_equal_paths_after_a_restart_a_reset_and_a_time_jump(mode):
    first = World(**MODES[mode])
    path = play(first, 100.0)
    assert len(path) == 6
    assert path[-1].status != Status.LOST
    restarted = World(**MODES[mode])
    np.testing.assert_array_equal(numbers(play(restarted, 100.0)), numbers(path))
    for _ in range(2):
        np.testing.assert_array_equal(numbers(play(first, 100.0)), numbers(path))
    assert first.statistics.snapshot().resets == {"time": 2}
    for round_number in (1, 2):
        first.tracking.reset("asked")
        again = play(first, 100.0 + 50.0 * round_number)
        np.testing.assert_array_equal(numbers(again), numbers(path))


@pytest.mark.parametrize("mode", MODES)
def test_another_recording_before_it_changes_nothing_of_a_path(mode):
    path = numbers(play(World(**MODES[mode]), 100.0))
    world = World(**MODES[mode])
    play(world, 100.3, wrong_sensors=True)
    np.testing.assert_array_equal(numbers(play(world, 100.0)), path)
