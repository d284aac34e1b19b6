"""Which cameras odometry works with, and what it says of others."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from sensor_msgs.msg import CameraInfo

from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.node.odometry.cameras import CameraError, LatestCameras

TOPICS = ("/left/camera_info", "/right/camera_info")


def info(baseline: float = 0.0, focal: float = 400.0, width: int = 640, **fields) -> CameraInfo:
    message = CameraInfo(width=width, height=480, **fields)
    message.p = [
        focal,
        0.0,
        319.5,
        0.0 - focal * baseline,
        0.0,
        focal,
        239.5,
        0.0,
        0.0,
        0.0,
        1.0,
        0.0,
    ]
    return message


def pair(left: CameraInfo, right: CameraInfo) -> LatestCameras:
    cameras = LatestCameras(TOPICS)
    assert cameras.take(0, left) == ""
    assert cameras.take(1, right) == ""
    return cameras


def test_baseline_is_that_of_the_right_projection():
    rig = pair(info(), info(baseline=0.12)).rig(640, 480)
    assert rig.left == rig.right == Intrinsics(400.0, 400.0, 319.5, 239.5)
    assert rig.baseline_m == pytest.approx(0.12)


def test_both_eyes_may_be_counted_from_a_third_camera():
    assert pair(info(-0.06), info(0.47)).rig(640, 480).baseline_m == pytest.approx(0.53)
    assert pair(info(-0.06), info()).rig(640, 480).baseline_m == pytest.approx(0.06)
    with pytest.raises(CameraError, match="is 40; it must be less than 24, that of /left/camera"):
        pair(info(-0.06), info(-0.1)).rig(640, 480)


@pytest.mark.parametrize(
    ("left", "right", "sentence"),
    [
        (info(), None, "no camera_info has come on /right/camera_info yet"),
        (
            info(),
            info(),
            "the cameras are no rectified stereo pair: P[3] of /right/camera_info is 0; it must be "
            "negative: minus the focal length",
        ),
        (
            info(),
            info(baseline=-0.1),
            "the cameras are no rectified stereo pair: P[3] of /right/camera_info is 40; it must "
            "be negative: left and right camera_info are swapped, or of the wrong sign",
        ),
        (info(), info(0.1, focal=410.0), "the cameras are no rectified stereo pair: fx is 400"),
        (info(focal=0.0), info(0.1), "/left/camera_info left out: the camera is not calibrated"),
        (
            info(width=320),
            info(0.1),
            "/left/camera_info: image is 640x480, camera_info describes 320x480",
        ),
    ],
)
def test_cameras_that_cannot_be_used_are_refused_in_words(left, right, sentence):
    cameras = LatestCameras(TOPICS)
    cameras.take(0, left)
    if right is not None:
        cameras.take(1, right)
    with pytest.raises(CameraError) as refusal:
        cameras.rig(640, 480)
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(
    ("number", "value", "sentence"),
    [
        (0, np.nan, "/left/camera_info left out: P[0] of camera_info is nan; it must be finite"),
        (5, -400.0, "/left/camera_info left out: the camera is not calibrated: fx and fy of P are"),
        (3, np.inf, "/left/camera_info left out: P[3] of camera_info is inf; it must be finite"),
    ],
)
def test_a_camera_that_cannot_be_is_refused_in_words(number, value, sentence):
    cameras = LatestCameras(TOPICS[:1])
    message = info()
    message.p[number] = value
    cameras.take(0, message)
    with pytest.raises(CameraError) as refusal:
        cameras.single(640, 480)
    assert str(refusal.value).startswith(sentence)


def test_a_repeated_camera_is_no_change_and_another_one_is():
    cameras = LatestCameras(TOPICS[:1])
    assert cameras.take(0, info()) == ""
    assert cameras.take(0, info()) == ""
    said = cameras.take(0, info(focal=500.0))
    assert said.startswith("/left/camera_info changed from 640x480 fx 400")
    assert "to 640x480 fx 500" in said
    assert cameras.single(640, 480).fx == 500.0


def test_a_camera_whose_last_digits_flicker_stays_the_same_one():
    cameras = LatestCameras(TOPICS[:1])
    for number in range(5):
        assert cameras.take(0, info(focal=400.0 + 1e-5 * number)) == ""
    assert cameras.take(0, info(focal=401.0)).startswith("/left/camera_info changed")


@pytest.mark.parametrize("empty", [CameraInfo(), info(focal=0.0), info(width=0)])
def test_the_good_camera_stays_when_one_that_says_nothing_comes(empty):
    cameras = LatestCameras(TOPICS[:1])
    assert cameras.take(0, empty) == ""
    with pytest.raises(CameraError, match="/left/camera_info left out"):
        cameras.single(640, 480)
    assert cameras.take(0, info()) == ""
    assert cameras.problem(0) == ""
    assert cameras.take(0, empty) == ""
    assert cameras.problem(0).startswith("/left/camera_info left out: ")
    assert cameras.problem(0).endswith("; the one before stays in use")
    assert cameras.single(640, 480).fx == 400.0
    assert cameras.take(0, info()) == ""
    assert cameras.problem(0) == ""


def test_binning_counts_and_distortion_does_not_change_the_rectified_camera():
    cameras = LatestCameras(TOPICS[:1])
    cameras.take(0, info(width=640, binning_x=2, binning_y=2))
    assert cameras.single(320, 240).fx == 200.0
    distorted = info(width=640, binning_x=2, binning_y=2)
    distorted.d = [0.1, 0.0, 0.0, 0.0, 0.0]
    assert cameras.distorted() == []
    assert cameras.take(0, distorted) == ""
    assert cameras.distorted() == ["/left/camera_info"]
