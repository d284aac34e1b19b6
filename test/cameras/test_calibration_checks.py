"""Calibrations that cannot be are refused in words, and distortion is read as what it is."""

import time
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from example_calibration import (
    CAMERA,
    HEIGHT,
    LENSES,
    PLAIN,
    PROJECTION,
    STRAIGHT,
    TURNED,
    WIDTH,
    changed,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from coarse_loftr_ros.cameras.calibration import CalibrationError
from coarse_loftr_ros.cameras.camera_info import calibration_of
from coarse_loftr_ros.cameras.rectification import Rectification

LONG = (500.0, 0.0, 160.0, 0.0, 500.0, 120.0, 0.0, 0.0, 1.0)


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
