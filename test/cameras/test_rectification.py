"""Raw images become what the calibration's projection matrix describes."""

import re
import time
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coarse_loftr_ros.cameras.calibration import (
    Calibration,
    CalibrationError,
    baseline_of,
    rows_correspond,
    why_no_pair,
)
from coarse_loftr_ros.cameras.camera_info import calibration_of, intrinsics_of
from coarse_loftr_ros.cameras.rectification import Rectification
from coarse_loftr_ros.odometry.observations import StereoRig
from coarse_loftr_ros.recordings.cameras import cameras_of_calibrations

WIDTH, HEIGHT = 320, 240
CAMERA = (300.0, 0.0, 160.0, 0.0, 305.0, 118.0, 0.0, 0.0, 1.0)
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
PROJECTION = (280.0, 0.0, 158.0, 0.0, 0.0, 280.0, 120.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PLAIN = Calibration(WIDTH, HEIGHT, "plumb_bob", (0.0,) * 5, CAMERA, STRAIGHT, PROJECTION)
LONG = (500.0, 0.0, 160.0, 0.0, 500.0, 120.0, 0.0, 0.0, 1.0)
TURNED = tuple(cv2.Rodrigues(np.array([0.02, -0.03, 0.05]))[0].ravel().tolist())


def changed(values: tuple[float, ...], number: int, value: float) -> tuple[float, ...]:
    return (*values[:number], value, *values[number + 1 :])


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


@st.composite
def camera_infos(draw) -> SimpleNamespace:
    """A camera_info with anything in some of its fields."""
    sides = st.sampled_from([0, 1, 2, WIDTH, HEIGHT, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)
    numbers = st.floats() | st.floats(-2, 2) | st.sampled_from([0.0, 1e-30, 1e5, 1e150, -1e308])

    def some(values: tuple[float, ...]) -> list[float]:
        drawn = list(values)
        for number in draw(st.lists(st.integers(0, len(values) - 1), max_size=3)):
            drawn[number] = draw(numbers)
        return drawn

    region = [0, 0, 0, 0]
    size, binning = [WIDTH, HEIGHT], [0, 0]
    if draw(st.integers(0, 3)) == 0:
        size = [draw(sides), draw(sides)]
        region = [draw(sides) for _ in range(4)]
        binning = [draw(sides), draw(sides)]
    names = ["x_offset", "y_offset", "width", "height"]
    return SimpleNamespace(
        width=size[0],
        height=size[1],
        binning_x=binning[0],
        binning_y=binning[1],
        roi=SimpleNamespace(**dict(zip(names, region, strict=True))),
        distortion_model=draw(st.sampled_from([*LENSES, "", "none", "fisheye", "magic"])),
        d=draw(st.lists(numbers, max_size=15)) if draw(st.booleans()) else [0.0] * 4,
        k=some(CAMERA),
        r=some(draw(st.sampled_from([STRAIGHT, TURNED, (0.0,) * 9]))),
        p=some(PROJECTION),
    )


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
        ({"camera": (0.0,) * 9}, "not calibrated: fx and fy of K are 0 and 0; they must be pos"),
        ({"projection": (0.0,) * 12}, "not calibrated: fx and fy of P are 0 and 0; they must"),
        ({"projection": changed(PROJECTION, 5, -280.0)}, "fx and fy of P are 280 and -280; they"),
        ({"width": 0, "height": 2**32 - 1}, "describes images of 0x4294967295; both sides must"),
        (
            {
                "width": 40000,
                "camera": LONG,
                "projection": (*LONG[:3], 0, *LONG[3:6], 0, *LONG[6:], 0),
            },
            "they must have at most 32766 px on a side",
        ),
        ({"camera": changed(CAMERA, 2, np.nan)}, r"K\[2\] of camera_info is nan; it must be fin"),
        ({"rotation": changed(STRAIGHT, 4, np.inf)}, "R of camera_info is no rotation"),
        ({"distortion": (0, 0, -np.inf, 0)}, r"D\[2\] of camera_info is -inf; it must be finite"),
        ({"projection": changed(PROJECTION, 3, np.nan)}, r"P\[3\] of camera_info is nan"),
        ({"rotation": (1e30,) * 9}, "R of camera_info is no rotation: its rows must be of length"),
        ({"rotation": changed(STRAIGHT, 8, -1.0)}, "R of camera_info is no rotation"),
        ({"rotation": (0.5, 0, 0, 0, 0.5, 0, 0, 0, 0.5)}, "R of camera_info is no rotation"),
        ({"camera": changed(CAMERA, 0, 1e-9)}, "fx and fy of K are 1e-09 and 305 px; of images"),
        ({"projection": changed(PROJECTION, 0, 1e9)}, "of images of 320x240 they must be 3.2 to"),
        ({"projection": changed(PROJECTION, 0, 8e3)}, "is 300 px in K and 8000 px in P; they must"),
        ({"projection": changed(PROJECTION, 10, 0.0)}, "P of camera_info is no camera: the first"),
        ({"projection": changed(PROJECTION, 2, 1e300)}, r"cx and cy of P are 1e\+300 and 120 px; "),
        ({"camera": changed(CAMERA, 5, -1e6)}, r"cx and cy of K are 160 and -1e\+06 px; they must"),
        ({"projection": changed(PROJECTION, 3, -1e308)}, r"P\[3\] of camera_info is -1e\+308, whi"),
        (
            {"projection": changed(PROJECTION, 7, 280e4)},
            r"a camera 10000 m from its rig's first",
        ),
        ({"projection": changed(PROJECTION, 11, 1e4)}, r"P\[11\] of camera_info is 10000, which i"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused_in_words(changes, sentence):
    with pytest.raises(CalibrationError, match=sentence):
        Rectification(replace(PLAIN, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"distortion": (1e30, 0, 0, 0)},
        {"distortion": (1e3, 0, 0, 0)},
        {"distortion": (-1e3, 1e6, 0, 0)},
        {"distortion": (0, 0, 50.0, -50.0)},
        {"model": "rational_polynomial", "distortion": (0, 0, 0, 0, 0, 1e4, -1e9, 0)},
        {"model": "equidistant", "distortion": (1e4, 0, 0, 0)},
        {"projection": changed(PROJECTION, 2, 2e4)},
        {"camera": changed(CAMERA, 5, -2e4)},
        {"rotation": (-1.0, 0, 0, 0, 1, 0, 0, 0, -1)},  # looks back
    ],
)
def test_a_calibration_by_which_the_camera_shows_nothing_is_refused_once_and_for_all(changes):
    rectification = Rectification(replace(PLAIN, **changes))
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    with pytest.raises(CalibrationError, match="of the rectified image would show anything"):
        rectification.image(image)
    begin = time.perf_counter()
    for _ in range(100):
        with pytest.raises(CalibrationError, match="of the rectified image would show anything"):
            rectification.image(image)
    assert time.perf_counter() - begin < 0.1


@given(st.data())
@settings(deadline=None)
def test_nothing_but_a_sentence_or_a_picture_comes_of_any_camera_info(data):
    info = data.draw(camera_infos())
    image = np.full((HEIGHT, WIDTH), 255, np.uint8)
    tracemalloc.start()
    try:
        rectification = Rectification(calibration_of(info))
        rectified, mask = rectification.image(image), rectification.image_mask(None)
    except CalibrationError as refusal:
        assert str(refusal)
    else:
        assert rectified.shape == image.shape
        if mask is not None:
            assert (rectified[mask > 0] > 127).all()  # half a pixel at the edge
            assert (mask > 0).mean() >= 0.05
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < 40 * image.size


def test_what_a_lens_shows_twice_is_masked_where_it_is_mirrored():
    # The polynomial turns back at a radius of 1 / sqrt(1.5) of the focal length.
    lens = replace(
        PLAIN, distortion=(-0.5, 0, 0, 0), projection=(100, *PROJECTION[1:5], 100, *PROJECTION[6:])
    )
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    radius = np.hypot(columns - lens.projection[2], rows - lens.projection[6]) / 100
    rectification = Rectification(lens)
    mask, white = rectification.mask, np.full((HEIGHT, WIDTH), 255, np.uint8)
    assert not rectification.image(white)[radius > 1 / np.sqrt(1.5) + 0.01].any()
    assert not mask[radius > 1 / np.sqrt(1.5) + 0.01].any()
    assert mask[(radius < 0.3) & (rows > 10) & (rows < HEIGHT - 10)].any()


def test_a_place_far_outside_of_the_image_does_not_wrap_around_into_it():
    # Fixed-point maps of 16 bits show a pixel at 65536 + 100 as that at 100.
    far = replace(PLAIN, camera=(2000.0, 0.0, 160.0 + 65536, 0.0, 2000.0, *CAMERA[5:]))
    with pytest.raises(CalibrationError, match="0 % of the rectified image would show"):
        Rectification(far).image(np.zeros((HEIGHT, WIDTH), np.uint8))


@pytest.mark.parametrize(
    ("model", "given", "same"),
    [
        ("plumb_bob", (-0.1, 0.02, 0, 0, 0, 0, 0, 0), ("plumb_bob", (-0.1, 0.02, 0, 0))),
        ("equidistant", (0.01, 0, 0, 0, 0), ("equidistant", (0.01, 0, 0, 0))),
        ("fisheye", (0.01, 0, 0, 0), ("equidistant", (0.01, 0, 0, 0))),
        ("Kannala Brandt4", (0.01, 0, 0, 0, 0), ("equidistant", (0.01, 0, 0, 0))),
        ("radtan", (-0.1, 0.02, 0, 0.001), ("plumb_bob", (-0.1, 0.02, 0, 0.001))),
        ("rational_polynomial", (-0.1, 0.02, 0, 0, 0.1), ("plumb_bob", (-0.1, 0.02, 0, 0, 0.1))),
        (
            "rational_polynomial",
            (-0.1, 0.02, 0, 0, 0.1, 0.1, 0, 0, 0, 0),
            ("rational_polynomial", (-0.1, 0.02, 0, 0, 0.1, 0.1, 0, 0)),
        ),
        ("plumb_bob", (), ("", ())),
        ("plumb_bob", (0.0,) * 14, ("", ())),
        ("", (0.0,) * 5, ("", ())),
        ("none", (), ("", ())),
        ("pinhole", (), ("", ())),
        ("Inverse Brown Conrady", (0.0,) * 5, ("", ())),
    ],
)
def test_distortion_is_read_as_what_it_plainly_is(model, given, same):
    image = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH), np.uint8)
    one, other = (
        Rectification(replace(PLAIN, model=name, distortion=values)).image(image)
        for name, values in ((model, given), same)
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("model", "given", "sentence"),
    [
        ("plumb_bob", (0.1,) * 8, "plumb_bob has 8 parameters; it takes 4 or 5, and zeros behind"),
        ("equidistant", (0.1,) * 5, "equidistant has 5 parameters; it takes 4, and zeros behind"),
        ("none", (0.1,), "distortion model is 'none', and D is not 0; allowed with that are plumb"),
        ("", (0.1,) * 5, "distortion model is '', and D is not 0"),
    ],
)
def test_distortion_that_may_mean_two_things_is_refused(model, given, sentence):
    with pytest.raises(CalibrationError, match=sentence):
        Rectification(replace(PLAIN, model=model, distortion=given))


@pytest.mark.parametrize(
    ("width", "height", "sentence"),
    [
        (10, 10, "image is 10x10, camera_info describes 320x240$"),
        (
            160,
            120,
            r"describes 320x240 \(where whole images are reduced 2 times, .* binning_y 2\)$",
        ),
        (640, 480, "image is 640x480, camera_info describes 320x240$"),
    ],
)
def test_an_image_of_another_size_is_refused(width, height, sentence):
    with pytest.raises(CalibrationError, match=sentence):
        Rectification(PLAIN).image(np.zeros((height, width), np.uint8))


def test_a_large_camera_info_costs_no_memory_with_a_small_image():
    tracemalloc.start()
    large = [value * 100 for value in CAMERA[:8]], [value * 100 for value in PROJECTION[:10]]
    calibration = replace(
        PLAIN,
        width=32000,
        height=24000,
        camera=(*large[0], 1.0),
        projection=(*large[1], 1.0, 0.0),
    )
    with pytest.raises(CalibrationError, match="image is 320x240, camera_info describes 32000x"):
        Rectification(calibration).image(np.zeros((HEIGHT, WIDTH), np.uint8))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1_000_000


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
        cameras = [intrinsics_of(each, PLAIN.width, PLAIN.height) for each in (PLAIN, right)]
        assert rows_correspond(PLAIN, right) is allowed
        if allowed:
            StereoRig(*cameras, 0.1)
            continue
        assert why_no_pair(PLAIN, right).startswith(f"{name} is ")
        with pytest.raises(ValueError, match=f"^{name} is "):
            StereoRig(*cameras, 0.1)


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
    cameras = [
        replace(PLAIN, projection=(*PROJECTION[:3], value, *PROJECTION[4:]))
        for value in (left, right)
    ]
    assert re.match(sentence, why_no_pair(*cameras))
    assert not rows_correspond(*cameras)


def test_both_cameras_may_be_counted_from_a_third_camera():
    # As KITTI's colour cameras are, which are cameras 2 and 3 of their rig.
    left = replace(PLAIN, projection=(*PROJECTION[:3], 14.0, *PROJECTION[4:]))
    right = replace(PLAIN, projection=(*PROJECTION[:3], -28.0, *PROJECTION[4:]))
    assert baseline_of(left, right) == pytest.approx(0.15)
    assert rows_correspond(left, PLAIN)
    assert not rows_correspond(right, PLAIN)
    assert cameras_of_calibrations([left, right]).baseline_m == pytest.approx(0.15)
