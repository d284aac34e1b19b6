"""Raw images become what the calibration's projection matrix describes."""

import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest
from example_calibration import CAMERA, HEIGHT, LENSES, PLAIN, PROJECTION, TURNED, WIDTH
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.cameras.calibration import Calibration, CalibrationError
from coarse_loftr_ros.cameras.rectification import Rectification


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
