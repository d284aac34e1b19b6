"""Which camera a camera_info describes, and which one of several is used."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from sensor_msgs.msg import CameraInfo

from coarse_loftr_ros.cameras.calibration import CalibrationError
from coarse_loftr_ros.cameras.camera_info import LatestCamera, calibration_of, intrinsics_of
from coarse_loftr_ros.cameras.rectification import Rectification


def calibration(**fields) -> CameraInfo:
    info = CameraInfo(width=640, height=480)
    info.p = [500.0, 0, 320.0, 0, 0, 510.0, 240.0, 0, 0, 0, 1, 0]
    for name, value in fields.items():
        setattr(info, name, value)
    return info


def test_intrinsics_are_those_of_the_rectified_image():
    found = intrinsics_of(calibration_of(calibration()), 640, 480)
    assert (found.fx, found.fy, found.cx, found.cy) == (500, 510, 320, 240)


def test_binning_and_region_move_the_principal_point():
    info = calibration(binning_x=2, binning_y=2)
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 100, 40, 200, 100
    found = intrinsics_of(calibration_of(info), 100, 50)
    assert (found.fx, found.fy) == (250, 255)
    # A ray through the centre of full pixels 101 and 102 is 1.5 px right of the region's pixel 0:
    # half a binned pixel right of binned pixel 0, whose centre is between full pixels 0 and 1.
    assert found.cx == (320 - 100 + 0.5) / 2 - 0.5
    assert found.cy == (240 - 40 + 0.5) / 2 - 0.5


def test_an_uncalibrated_camera_has_no_intrinsics():
    with pytest.raises(CalibrationError, match="fx and fy of P are 0 and 0; they must be positive"):
        intrinsics_of(calibration_of(CameraInfo(width=640, height=480)), 640, 480)


@pytest.mark.parametrize(
    ("fields", "region", "sentence"),
    [
        ({"width": 0}, None, "camera_info describes images of 0x480; both sides must be"),
        ({"height": 0}, None, "camera_info describes images of 640x0; both sides must be"),
        (
            {"width": 0, "height": 2**32 - 1, "binning_x": 2, "binning_y": 2},
            None,
            "describes images of 0x4294967295",
        ),
        ({"binning_y": 481}, None, "a binning of 1x481, which leaves nothing of its 640x480 px"),
        (
            {},
            (600, 0, 41, 480),
            r"a region of interest of 41x480 at \(600, 0\); it must lie within",
        ),
        ({}, (0, 2**32 - 1, 640, 2**32 - 1), "it must lie within its 640x480 px"),
    ],
)
def test_a_camera_info_that_describes_no_image_is_refused(fields, region, sentence):
    info = calibration(**fields)
    if region:
        roi = info.roi
        roi.x_offset, roi.y_offset, roi.width, roi.height = region
    with pytest.raises(CalibrationError, match=sentence):
        calibration_of(info)


def test_a_calibration_of_another_size_is_not_used():
    with pytest.raises(CalibrationError, match="image is 320x240, camera_info describes 640x480"):
        intrinsics_of(calibration_of(calibration()), 320, 240)


def test_the_first_good_camera_is_used_and_the_good_one_stays():
    camera = LatestCamera()
    assert not camera.take(CameraInfo())
    assert camera.calibration is None
    assert camera.problem.startswith("camera_info describes images of 0x0")
    assert camera.take(calibration())
    good = camera.calibration
    assert (good.width, good.projection[0], camera.problem) == (640, 500.0, "")
    assert not camera.take(CameraInfo(width=640, height=480))
    assert camera.calibration is good
    assert camera.problem.endswith("; the one before stays in use")
    assert not camera.take(calibration())
    assert camera.calibration == good
    assert camera.problem == ""


def test_a_change_is_noticed_once():
    camera = LatestCamera()
    assert camera.take(calibration())
    before = camera.calibration
    assert not camera.take(calibration())
    assert camera.calibration is before
    assert camera.take(calibration(width=320))
    assert not camera.take(calibration(width=320))
    assert camera.calibration.width == 320


def test_a_bad_camera_is_looked_at_once():
    looks = []

    def check(candidate):
        looks.append(candidate)
        Rectification(candidate)

    camera = LatestCamera(check)
    bad = calibration(distortion_model="plumb_bob", d=[np.nan] * 5)
    for _ in range(3):
        assert not camera.take(bad)
        assert (
            camera.problem == "the camera is not calibrated: fx and fy of K are 0 and 0; they "
            "must be positive"
        )
    assert len(looks) == 1


def test_a_camera_info_of_any_length_costs_no_time_and_no_words():
    camera = LatestCamera(Rectification)
    begin = time.perf_counter()
    assert not camera.take(calibration(d=[0.0] * 1_000_000))
    assert camera.problem == "camera_info has a D of 1000000 values; at most 100 are allowed"
    long = calibration(distortion_model="x" * 1_000_000, k=[500.0, 0, 320, 0, 510, 240, 0, 0, 1])
    assert not camera.take(long)
    assert camera.problem.startswith(f"distortion model is '{'x' * 40}...'; allowed are")
    assert time.perf_counter() - begin < 1.0
