"""What a filter makes of the node's velocity when the camera sees nothing for two seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rendered_drives import (
    ALTITUDE_M,
    BASELINE_M,
    CAMERA,
    GROUND_M,
    HEIGHT,
    WIDTH,
    floor,
    street,
)
from sensor_msgs.msg import CameraInfo
from velocity_filter import ConstantVelocityFilter

from coarse_loftr_msgs.msg import Correspondences, RelativePose
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe, ReferencePolicy
from coarse_loftr_ros.node.common.conversion import correspondences_message
from coarse_loftr_ros.node.common.parameter import Value
from coarse_loftr_ros.node.common.statistics import Statistics
from coarse_loftr_ros.node.odometry.cameras import LatestCameras
from coarse_loftr_ros.node.odometry.conversion import odometry_message, relative_pose_message
from coarse_loftr_ros.node.odometry.parameter_table import PARAMETERS
from coarse_loftr_ros.node.odometry.parameters import mounting
from coarse_loftr_ros.node.odometry.tracking import Tracking

SPEED, PERIOD_S = 5.0, 0.1
SEEN, DARK, AFTER = 8, 20, 12  # images before, in and after the black-out
START_NS = 1_700_000_000_000_000_000
MODES: dict[str, dict[str, Value]] = {
    "stereo": {"mode": "stereo"},
    "mono": {"mode": "mono", "mono.scale": "ground_plane", "mono.camera_height_m": GROUND_M},
    "planar": {
        "mode": "planar",
        "planar.altitude_m": ALTITUDE_M,
        "planar.normal_sigma_deg": 1.0,
        "mounting.pitch": np.pi / 2,
    },
}


@dataclass(frozen=True, eq=False)
class Seen:
    """What the matcher says of an image."""

    temporal: Correspondences | None
    stereo: Correspondences | None = None


class Robot:
    """A tracking that receives matches, and what it publishes."""

    def __init__(self, mode: str) -> None:
        values = {name: row.default for name, row in PARAMETERS.items()}
        values |= {"mounting.x": 0.3, "mounting.z": 0.2, **MODES[mode]}
        self.stereo = mode == "stereo"
        self.said: list[tuple[Odometry, RelativePose]] = []
        mounted = mounting(values)
        topics = ("/left/camera_info", "/right/camera_info") if self.stereo else ("/camera_info",)
        self.tracking = Tracking(
            values, LatestCameras(topics), lambda frame: mounted, self, Statistics(),
            lambda kind, sentence: None, lambda kind, sentence: None,
        )  # fmt: skip
        self.path: list[object] = []
        for side, _ in enumerate(topics):
            focal, shift = CAMERA.fx, -CAMERA.fx * BASELINE_M * side
            info = CameraInfo(width=WIDTH, height=HEIGHT)
            info.p = [focal, 0.0, CAMERA.cx, shift, 0.0, focal, CAMERA.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
            self.tracking.change_camera(side, info)

    def publish(self, estimate, velocity, mounted, headers) -> None:
        """As the node's outputs do it, but into a list."""
        message = odometry_message(estimate, velocity, mounted, "odom", "base_link")
        self.said.append((message, relative_pose_message(estimate, velocity, *headers)))

    def see(self, seen: Seen) -> None:
        if self.stereo:
            self.tracking.add_stereo(seen.stereo)
        if seen.temporal is not None:
            self.tracking.add_temporal(seen.temporal)


def dark(image: int) -> bool:
    return SEEN <= image < SEEN + DARK


def matched(
    policy: ReferencePolicy, render: Callable[..., NDArray[np.uint8]], ahead: NDArray[np.float64]
) -> list[Seen]:
    """What the matcher says of each image of a drive; in the black-out they are black.

    Args:
        policy: of references.
        render: the image of a camera that is so far ahead.
        ahead: where the camera is at each image, metres.
    """
    pipeline = Pipeline(PipelineSettings(threads=1), MatchSettings(), policy, (WIDTH, HEIGHT))
    found = []
    for image, at in enumerate(ahead):
        eyes = (
            [render(at, shift) for shift in (0.0, BASELINE_M)] if render is street else [floor(at)]
        )
        stamp = START_NS + round(image * PERIOD_S * 1e9)
        frames = [Frame(eye * np.uint8(not dark(image)), stamp, "left") for eye in eyes]
        if render is street:
            result = pipeline.process_stereo(*frames, rectified=True)
            temporal, stereo = result.temporal, correspondences_message(result.stereo)
        else:
            temporal, stereo = pipeline.process(*frames), None
        found.append(Seen(temporal and correspondences_message(temporal), stereo))
    return found


CONSTANT = SPEED * PERIOD_S * np.arange(SEEN + DARK + AFTER)


@pytest.fixture(scope="module", params=[Consecutive, Keyframe])
def along_the_street(request) -> list[Seen]:
    return matched(request.param(), street, CONSTANT)


@pytest.fixture(scope="module", params=[Consecutive, Keyframe])
def over_the_floor(request) -> list[Seen]:
    return matched(request.param(), floor, CONSTANT)


def follow(mode: str, images: list[Seen]) -> None:
    """Drive, and hold what the node says, and what a filter makes of it, to the truth."""
    robot, filter_ = Robot(mode), ConstantVelocityFilter()
    for seen in images:
        robot.see(seen)
    assert len(robot.said) == len(images)
    for image, (odometry, relative) in enumerate(robot.said):
        filter_.take(odometry)
        assert filter_.within_three_sigmas(CONSTANT[image], SPEED), image
        # The first image after the black-out is matched with a black one.
        measured = image > 0 and not dark(image) and not dark(image - 1)
        assert relative.linear_velocity_measured == measured, image
        assert relative.angular_velocity_measured == measured, image
        assert (relative.status == RelativePose.LOST) == (image > 0 and not measured), image
        if image == SEEN + DARK + 10:
            assert np.linalg.norm(filter_.velocity - (SPEED, 0, 0)) < 0.5
    last = robot.said[SEEN - 1][0].twist.twist
    guesses = [odometry.twist for odometry, _ in robot.said[SEEN : SEEN + DARK + 1]]
    assert all(guess.twist == last for guess in guesses)
    variances = np.array([np.diag(np.reshape(guess.covariance, (6, 6))) for guess in guesses])
    assert (variances[0, :3] >= last.linear.x**2).all()
    assert (np.diff(variances, axis=0) > 0).all()


def test_with_two_cameras_a_filter_is_right_and_knows_how_sure_it_is(along_the_street):
    follow("stereo", along_the_street)


def test_so_it_is_with_one_camera_whose_height_is_known(along_the_street):
    follow("mono", along_the_street)


def test_so_it_is_over_a_floor(over_the_floor):
    follow("planar", over_the_floor)


def test_a_robot_that_brakes_in_the_dark_is_not_held_to_its_last_speed():
    """From 5 to 1 m/s while nothing is seen: what is only guessed makes the filter no surer."""
    speeds = SPEED - 4.0 * np.clip((np.arange(len(CONSTANT)) - SEEN) / DARK, 0.0, 1.0)
    ahead = np.concatenate([[0.0], np.cumsum(0.5 * PERIOD_S * (speeds[1:] + speeds[:-1]))])
    robot, filter_ = Robot("planar"), ConstantVelocityFilter(acceleration=3.0)
    for seen in matched(Consecutive(), floor, ahead):
        robot.see(seen)
    for image, (odometry, _) in enumerate(robot.said):
        filter_.take(odometry)
        assert filter_.within_three_sigmas(ahead[image], speeds[image]), image
        if image == SEEN + DARK - 1:
            alone = 3.0 * np.sqrt(DARK * PERIOD_S)
            assert np.sqrt(filter_.covariance[3, 3]) > 0.9 * alone
    assert filter_.velocity[0] == pytest.approx(1.0, abs=0.1)
