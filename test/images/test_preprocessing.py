"""The coordinate maps: exact inverses, and true to what the resize does to an image."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.images.preprocessing import ImageMap, NetworkSize, network_size

sides = st.integers(32, 4000)
multiples = st.integers(1, 64).map(lambda n: n * 32)


@given(sides, sides, st.sampled_from([320 * 240, 512 * 384, 1024 * 768]))
def test_network_size_is_made_of_multiples_and_costs_about_the_same_for_any_shape(w, h, pixels):
    size = network_size(w, h, pixels, 32)
    assert size.width % 32 == 0 and size.height % 32 == 0
    assert size.width >= 32 and size.height >= 32
    if min(size.width, size.height) >= 128:  # below, rounding to 32 weighs more
        # A side of 112 becomes 128 at worst: (128 / 112) ** 2.
        assert size.width * size.height <= 1.307 * min(pixels, w * h)


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(64 * 64, 2048 * 2048))
def test_no_side_is_longer_than_the_network_knows_positions(width, height, pixels):
    size = network_size(width, height, pixels, 32, 2048)
    assert max(size.width, size.height) <= 2048
    if max(width, height) <= 2048:
        assert size == network_size(width, height, pixels, 32)


def test_what_is_too_long_is_reduced_keeping_its_shape():
    assert network_size(2560, 400, 1_024_000, 32, 2048) == NetworkSize(2048, 320)


@given(st.integers(640, 4000), st.integers(640, 4000))
def test_network_size_keeps_the_shape_to_half_a_multiple(width, height):
    size = network_size(width, height, 512 * 384, 32)
    scale = (512 * 384 / (width * height)) ** 0.5
    assert abs(size.width - width * scale) <= 16 + 1e-6 or size.width == 32
    assert abs(size.height - height * scale) <= 16 + 1e-6 or size.height == 32


@pytest.mark.parametrize(
    ("image", "network"),
    [
        ((640, 480), (512, 384)),
        ((1280, 720), (576, 320)),
        ((1226, 370), (800, 256)),
        ((320, 240), (320, 256)),
    ],
)
def test_network_sizes_of_common_cameras(image, network):
    assert network_size(*image, 512 * 384, 32) == NetworkSize(*network)


@given(
    sides,
    sides,
    multiples,
    multiples,
    st.lists(st.tuples(st.floats(-10, 5000), st.floats(-10, 5000)), min_size=1, max_size=5),
)
def test_to_image_undoes_to_network(width, height, network_width, network_height, points):
    image_map = ImageMap(width, height, NetworkSize(network_width, network_height))
    points = np.array(points)
    np.testing.assert_allclose(
        image_map.to_image(image_map.to_network(points)), points, atol=1e-6, rtol=1e-9
    )


@given(sides, sides, multiples, multiples)
def test_the_outline_of_the_image_maps_to_the_outline_of_the_network_image(w, h, nw, nh):
    image_map = ImageMap(w, h, NetworkSize(nw, nh))
    outline = np.array([[-0.5, -0.5], [w - 0.5, h - 0.5]])
    np.testing.assert_allclose(
        image_map.to_network(outline), [[-0.5, -0.5], [nw - 0.5, nh - 0.5]], atol=1e-9
    )


@pytest.mark.parametrize("size", [(1280, 960), (800, 600), (320, 240), (1226, 370)])
def test_a_blob_is_found_where_the_map_says(size):
    width, height = size
    truth = np.array([[width * 0.37, height * 0.61]])
    y, x = np.mgrid[:height, :width]
    spread = 0.02 * width
    blob = 255 * np.exp(-((x - truth[0, 0]) ** 2 + (y - truth[0, 1]) ** 2) / (2 * spread**2))
    image_map = ImageMap(width, height, network_size(width, height, 512 * 384, 32))
    small = image_map.prepare(blob.astype(np.uint8))
    moments = cv2.moments(small.astype(np.float32))
    centre = [moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]]
    np.testing.assert_allclose(centre, image_map.to_network(truth)[0], atol=0.05)


def test_an_image_of_network_size_is_not_copied():
    image = np.zeros((480, 640), np.uint8)
    assert ImageMap(640, 480, NetworkSize(640, 480)).prepare(image) is image


def test_points_keep_their_dtype():
    image_map = ImageMap(1000, 800, NetworkSize(640, 512))
    assert image_map.to_network(np.zeros((1, 2), np.float32)).dtype == np.float32
    assert image_map.to_image(np.zeros((1, 2), np.float64)).dtype == np.float64


@given(st.integers(40, 400), st.integers(40, 400), st.integers(1, 12), st.integers(1, 12))
def test_a_padded_image_fills_its_part_and_its_points_land_there(width, height, right, below):
    content = network_size(width, height, 320, 32)
    canvas = NetworkSize(content.width + 32 * right, content.height + 32 * below)
    padded = ImageMap(width, height, canvas, content)
    alone = ImageMap(width, height, content)
    image = np.random.default_rng(width).integers(0, 256, (height, width), np.uint8)
    prepared = padded.prepare(image)
    assert prepared.shape == (canvas.height, canvas.width)
    np.testing.assert_array_equal(prepared[: content.height, : content.width], alone.prepare(image))
    corners = np.array([[0.0, 0.0], [width - 1, height - 1]])
    np.testing.assert_array_equal(padded.to_network(corners), alone.to_network(corners))
    np.testing.assert_allclose(padded.to_image(padded.to_network(corners)), corners, atol=1e-9)
