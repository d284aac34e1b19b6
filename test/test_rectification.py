"""Raw images become what the calibration's projection matrix describes."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.camera_info import intrinsics_of
from coarse_loftr_ros.odometry.observations import StereoRig
from coarse_loftr_ros.rectification import (
    Calibration,
    CalibrationError,
    Rectification,
    baseline_of,
    rows_correspond,
    why_no_pair,
)
from coarse_loftr_ros.tools.cameras import cameras_of_calibrations

WIDTH, HEIGHT = 320, 240
CAMERA = (300.0, 0.0, 160.0, 0.0, 305.0, 118.0, 0.0, 0.0, 1.0)
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
PROJECTION = (280.0, 0.0, 158.0, 0.0, 0.0, 280.0, 120.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PLAIN = Calibration(WIDTH, HEIGHT, "plumb_bob", (0.0,) * 5, CAMERA, STRAIGHT, PROJECTION)
TURNED = tuple(cv2.Rodrigues(np.array([0.02, -0.03, 0.05]))[0].ravel().tolist())
LENSES = {
    "plumb_bob": (-0.3, 0.12, 0.001, -0.002, 0.0),
    "rational_polynomial": (-0.2, 0.05, 0.001, 0.0, 0.0, 0.05, 0.01, 0.0),
    "equidistant": (-0.03, 0.01, 0.0, 0.0),
}


def spot(x: float, y: float) -> np.ndarray:
    """An image with a bright spot of sub-pixel position."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.rint(250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)).astype(np.uint8)


def centre(image: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    weight = image.astype(float)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


def project(calibration: Calibration, ray: np.ndarray) -> np.ndarray:
    """Where the raw camera sees a ray given in the rectified camera's axes."""
    rotation = np.array(calibration.rotation).reshape(3, 3)
    camera, lens = np.array(calibration.camera).reshape(3, 3), np.array(calibration.distortion)
    seen = (rotation.T @ ray).reshape(1, 1, 3)
    nothing = np.zeros(3)
    if calibration.model == "equidistant":
        return cv2.fisheye.projectPoints(seen, nothing, nothing, camera, lens)[0].ravel()
    return cv2.projectPoints(seen, nothing, nothing, camera, lens)[0].ravel()


@pytest.mark.parametrize("model", LENSES)
@given(x=st.floats(40, 280), y=st.floats(40, 200))
def test_a_ray_lands_where_the_projection_matrix_says(model, x, y):
    lens = replace(PLAIN, model=model, distortion=LENSES[model], rotation=TURNED)
    ray = np.array([(x - 158.0) / 280.0, (y - 120.0) / 280.0, 1.0])
    raw = project(lens, ray)
    if not (8 < raw[0] < WIDTH - 8 and 8 < raw[1] < HEIGHT - 8):
        return
    rectification = Rectification(lens)
    np.testing.assert_allclose(centre(rectification.image(spot(*raw))), (x, y), atol=0.1)


def test_a_camera_without_distortion_is_left_as_it_is():
    same = replace(PLAIN, camera=CAMERA, projection=(*CAMERA[:3], 0, *CAMERA[3:6], 0, 0, 0, 1, 0))
    image = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH), np.uint8)
    rectification = Rectification(same)
    np.testing.assert_array_equal(rectification.image(image), image)
    assert rectification.image_mask(None) is None


def test_what_the_camera_does_not_show_is_masked():
    wide = replace(PLAIN, projection=(150.0, 0, 160.0, 0, 0, 150.0, 120.0, 0, 0, 0, 1, 0))
    rectification = Rectification(wide)
    seen = rectification.image(np.full((HEIGHT, WIDTH), 255, np.uint8))
    mask = rectification.image_mask(None)
    assert (seen[mask > 0] == 255).all()
    assert 0.1 < (mask > 0).mean() < 0.3
    left_half = np.zeros((HEIGHT, WIDTH), np.uint8)
    left_half[:, : WIDTH // 2] = 255
    assert 0.4 < (rectification.image_mask(left_half) > 0).sum() / (mask > 0).sum() < 0.6


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "magic"}, "distortion model is 'magic'; allowed are plumb_bob, rational"),
        ({"distortion": (0.1,) * 3}, "plumb_bob has 3 parameters; it takes 4 or 5"),
        ({"camera": (0.0,) * 9}, "the camera is not calibrated"),
        ({"projection": (0.0,) * 12}, "the camera is not calibrated"),
    ],
)
def test_a_calibration_that_says_nothing_is_refused(changes, sentence):
    with pytest.raises(CalibrationError, match=sentence):
        Rectification(replace(PLAIN, **changes))


def test_an_image_of_another_size_is_refused():
    with pytest.raises(CalibrationError, match="image is 10x10, camera_info describes 320x240"):
        Rectification(PLAIN).image(np.zeros((10, 10), np.uint8))


def test_rows_correspond_when_both_projections_say_so():
    right = replace(PLAIN, projection=(*PROJECTION[:3], -28.0, *PROJECTION[4:]))
    assert right.baseline == pytest.approx(0.1)
    assert rows_correspond(PLAIN, right)
    assert not rows_correspond(right, PLAIN)
    assert not rows_correspond(PLAIN, PLAIN)
    lower = (*right.projection[:6], 121.0, *right.projection[7:])
    assert not rows_correspond(PLAIN, replace(right, projection=lower))
    assert not rows_correspond(replace(PLAIN, projection=(0.0,) * 12), right)


@pytest.mark.parametrize("name", ["fx", "fy", "cy"])
def test_one_judgement_of_rows_serves_matcher_and_odometry(name):
    place = {"fx": 0, "fy": 5, "cy": 6}[name]
    for apart, allowed in ((0.0005, True), (0.09, True), (0.11, False), (2.0, False)):
        projection = [*PROJECTION[:3], -28.0, *PROJECTION[4:]]
        projection[place] += apart
        right = replace(PLAIN, projection=tuple(projection))
        eyes = [intrinsics_of(each, PLAIN.width, PLAIN.height) for each in (PLAIN, right)]
        assert rows_correspond(PLAIN, right) is allowed
        if allowed:
            StereoRig(*eyes, 0.1)
            continue
        assert why_no_pair(PLAIN, right).startswith(f"{name} is ")
        with pytest.raises(ValueError, match=f"^{name} is "):
            StereoRig(*eyes, 0.1)


def test_what_is_allowed_moves_no_row_and_no_disparity_by_a_tenth_of_a_pixel():
    right = replace(
        PLAIN,
        projection=tuple(
            np.add(
                [*PROJECTION[:3], -28.0, *PROJECTION[4:]], [0.09, 0, 0, 0, 0, 0.05, 0.04] + [0] * 5
            )
        ),
    )
    assert rows_correspond(PLAIN, right)
    corners = np.array([[0, 0], [PLAIN.width - 1, 0], [0, PLAIN.height - 1]], float)
    a, b = (np.reshape(each.projection, (3, 4))[:, :3] for each in (PLAIN, right))
    rays = np.column_stack([corners, np.ones(3)]) @ np.linalg.inv(a).T
    assert np.abs((rays @ b.T)[:, :2] - corners).max() < 0.1


@pytest.mark.parametrize(
    ("left", "right", "sentence"),
    [
        (
            0.0,
            28.0,
            r"P\[3\] of right is 28; it must be negative: .* swapped, or of the wrong sign",
        ),
        (-28.0, 0.0, r"P\[3\] of right is 0; it must be less than -28, that of left: .* swapped"),
        (0.0, 0.0, r"P\[3\] of right is 0; it must be negative: minus the focal length"),
    ],
)
def test_a_baseline_that_cannot_be_is_named_by_its_number(left, right, sentence):
    eyes = [
        replace(PLAIN, projection=(*PROJECTION[:3], value, *PROJECTION[4:]))
        for value in (left, right)
    ]
    assert re.match(sentence, why_no_pair(*eyes))
    assert not rows_correspond(*eyes)


def test_both_eyes_may_be_counted_from_a_third_camera():
    # As KITTI's colour cameras are, which are cameras 2 and 3 of their rig.
    left = replace(PLAIN, projection=(*PROJECTION[:3], 14.0, *PROJECTION[4:]))
    right = replace(PLAIN, projection=(*PROJECTION[:3], -28.0, *PROJECTION[4:]))
    assert baseline_of(left, right) == pytest.approx(0.15)
    assert rows_correspond(left, PLAIN)
    assert not rows_correspond(right, PLAIN)
    assert cameras_of_calibrations([left, right]).baseline_m == pytest.approx(0.15)
