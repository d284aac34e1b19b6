"""Decoding image messages; the messages are stand-ins with the fields of sensor_msgs."""

from __future__ import annotations

import sys
from binascii import crc32
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.images.decoding import (
    ENCODINGS,
    ImageError,
    decode_compressed,
    decode_image,
    scale_to_8_bits,
)

COLOURS = {
    "bgr8": cv2.COLOR_BGR2GRAY,
    "8UC3": cv2.COLOR_BGR2GRAY,
    "rgb8": cv2.COLOR_RGB2GRAY,
    "bgra8": cv2.COLOR_BGRA2GRAY,
    "8UC4": cv2.COLOR_BGRA2GRAY,
    "rgba8": cv2.COLOR_RGBA2GRAY,
}
PACKED_YUV = {
    "yuv422": cv2.COLOR_YUV2GRAY_UYVY,
    "uyvy": cv2.COLOR_YUV2GRAY_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2GRAY_YUY2,
    "yuyv": cv2.COLOR_YUV2GRAY_YUY2,
}


def message(pixels: np.ndarray, encoding: str, padding: int = 0, bigendian: bool = False):
    """An Image with these pixels [H, W] or [H, W, C], rows padded with bytes of noise."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).reshape(height, -1).view(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (height, padding), np.uint8)
    return SimpleNamespace(
        width=width,
        height=height,
        encoding=encoding,
        is_bigendian=int(bigendian),
        step=rows.shape[1] + padding,
        data=np.hstack([rows, noise]).tobytes(),
    )


def noise(seed: int, *shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, True)


sides = st.integers(1, 40)
paddings = st.integers(0, 17)
seeds = st.integers(0, 1000)


@given(sides, sides, paddings, seeds, st.sampled_from(["mono8", "8UC1"]))
def test_grey_is_itself(width, height, padding, seed, encoding):
    pixels = noise(seed, height, width)
    np.testing.assert_array_equal(decode_image(message(pixels, encoding, padding)), pixels)


def test_grey_is_not_copied():
    image = message(noise(0, 20, 30), "mono8", 3)
    assert np.shares_memory(decode_image(image), np.frombuffer(image.data, np.uint8))


@given(sides, sides, paddings, seeds, st.sampled_from(sorted(COLOURS)))
def test_colour_agrees_with_opencv(width, height, padding, seed, encoding):
    pixels = noise(seed, height, width, 4 if encoding in ("bgra8", "8UC4", "rgba8") else 3)
    expected = cv2.cvtColor(pixels, COLOURS[encoding]).reshape(height, width)
    np.testing.assert_array_equal(decode_image(message(pixels, encoding, padding)), expected)


@given(st.integers(1, 20), sides, paddings, seeds, st.sampled_from(sorted(PACKED_YUV)))
def test_yuv_agrees_with_opencv(half_width, height, padding, seed, encoding):
    pixels = noise(seed, height, 2 * half_width, 2)
    expected = cv2.cvtColor(pixels, PACKED_YUV[encoding]).reshape(height, 2 * half_width)
    np.testing.assert_array_equal(decode_image(message(pixels, encoding, padding)), expected)


@pytest.mark.parametrize(("encoding", "rows"), [("nv12", 1.5), ("nv21", 1.5), ("nv24", 3)])
def test_planar_yuv_is_its_first_plane(encoding, rows):
    planes = noise(1, int(40 * rows), 60)
    image = message(planes, encoding)
    image.height = 40
    np.testing.assert_array_equal(decode_image(image), planes[:40])


@given(
    st.integers(3, 40),
    st.integers(3, 40),
    paddings,
    st.sampled_from(["rggb", "bggr", "gbrg", "grbg"]),
)
def test_bayer_of_one_colour_is_that_colour(width, height, padding, pattern):
    level = {"r": 200, "g": 120, "b": 30}
    mosaic = np.empty((height, width), np.uint8)
    for i, name in enumerate(pattern):
        mosaic[i // 2 :: 2, i % 2 :: 2] = level[name]
    grey = decode_image(message(mosaic, f"bayer_{pattern}8", padding))
    expected = 0.299 * 200 + 0.587 * 120 + 0.114 * 30
    assert grey.shape == mosaic.shape
    assert np.abs(grey.astype(float) - expected).max() <= 1


@pytest.mark.parametrize("bigendian", [False, True])
@pytest.mark.parametrize("encoding", ["bgr16", "rgb16", "bgra16", "rgba16"])
def test_colour_of_16_bits_is_that_of_its_high_bytes(encoding, bigendian):
    values = noise(5, 20, 30, 4 if "a" in encoding else 3, dtype=np.uint16)
    image = message(values.astype(">u2" if bigendian else "<u2"), encoding, 3, bigendian)
    expected = cv2.cvtColor((values >> 8).astype(np.uint8), COLOURS[encoding[:-2] + "8"])
    np.testing.assert_array_equal(decode_image(image, "full_range"), expected)


def test_bayer_16_is_demosaiced():
    mosaic = np.full((20, 30), 40000, np.uint16)
    mosaic[0::2, 0::2] = 60000
    grey = decode_image(message(mosaic, "bayer_rggb16"), "full_range")
    expected = 0.299 * (60000 >> 8) + 0.701 * (40000 >> 8)
    assert np.abs(grey.astype(float) - expected).max() <= 1


@given(
    sides,
    sides,
    paddings,
    seeds,
    st.sampled_from(["mono16", "16UC1"]),
    st.sampled_from(["stretch", "full_range"]),
)
def test_byte_order_does_not_matter(width, height, padding, seed, encoding, scaling):
    values = noise(seed, height, width, dtype=np.uint16)
    little = decode_image(message(values.astype("<u2"), encoding, padding), scaling)
    big = decode_image(message(values.astype(">u2"), encoding, padding, True), scaling)
    np.testing.assert_array_equal(little, big)
    if scaling == "full_range":
        np.testing.assert_array_equal(little, values >> 8)


@pytest.mark.parametrize(("low", "high"), [(0, 1023), (0, 65535), (7000, 7300)])
def test_stretch_uses_all_levels_of_any_camera(low, high):
    ramp = np.linspace(low, high, 640 * 480).astype(np.uint16).reshape(480, 640)
    grey = scale_to_8_bits(ramp)
    assert grey.min() == 0
    assert grey.max() == 255
    assert (np.diff(grey.astype(int).ravel()) >= 0).all()


def test_stretch_is_not_decided_by_hot_pixels():
    ramp = np.linspace(100, 400, 640 * 480).astype(np.uint16).reshape(480, 640)
    expected = scale_to_8_bits(ramp)
    # On the grid that the range is measured on.
    ramp[0, 0] = ramp[100, 100] = 65535
    spoilt = scale_to_8_bits(ramp)
    assert np.abs(spoilt.astype(int) - expected)[1:99].max() <= 2


def test_stretch_of_a_flat_image_is_flat():
    assert np.ptp(scale_to_8_bits(np.full((10, 10), 3000, np.uint16))) == 0


# --- messages that contradict themselves --------------------------------------------------------


@pytest.mark.parametrize("side", ["width", "height"])
def test_zero_size_is_refused(side):
    image = message(noise(0, 8, 8), "mono8")
    setattr(image, side, 0)
    with pytest.raises(ImageError, match="zero") as refusal:
        decode_image(image)
    assert refusal.value.kind == "size"


@given(st.sampled_from(ENCODINGS), seeds)
def test_every_encoding_refuses_a_short_step_and_short_data(encoding, seed):
    image = message(noise(seed, 8, 8, 8), encoding)
    image.width = image.height = 8
    good = decode_image(image)
    assert good.shape == (8, 8)
    assert good.dtype == np.uint8
    whole, step = image.data, image.step
    image.step = 7
    with pytest.raises(ImageError, match="step is 7"):
        decode_image(image)
    image.step, image.data = step, whole[: step * 7]
    with pytest.raises(ImageError, match="bytes") as refusal:
        decode_image(image)
    assert refusal.value.kind == "truncated"


def test_last_row_need_not_be_padded():
    pixels = noise(0, 8, 8)
    image = message(pixels, "mono8", padding=5)
    image.data = image.data[:-5]
    np.testing.assert_array_equal(decode_image(image), pixels)


@given(
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 500),
    st.integers(0, 500),
    st.sampled_from([*ENCODINGS, "", "32FC1", "mono8 "]),
    st.booleans(),
)
def test_any_header_over_any_data_decodes_or_is_refused(w, h, step, size, encoding, big):
    data = bytes(size)
    image = SimpleNamespace(
        width=w, height=h, step=step, encoding=encoding, is_bigendian=big, data=data
    )
    try:
        assert decode_image(image).shape == (h, w)
    except ImageError as refusal:
        assert str(refusal)


def test_unknown_encoding_names_itself_and_the_known_ones(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    with pytest.raises(ImageError, match=r"'32FC1'.*cv_bridge.*mono8, 8UC1") as refusal:
        decode_image(message(np.zeros((8, 8), np.float32), "32FC1"))
    assert refusal.value.kind == "encoding"


def test_other_encodings_go_through_cv_bridge(monkeypatch):
    # cv_bridge comes with ROS installations only: this stand-in has its one method.
    class CvBridge:
        def imgmsg_to_cv2(self, image, desired_encoding):
            if image.encoding != "32FC1":
                raise TypeError(f"Unrecognized image encoding [{image.encoding}]")
            assert desired_encoding == "mono8"
            return np.full((image.height, image.width), 9, np.uint8)

    module = ModuleType("cv_bridge")
    module.CvBridge = CvBridge
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    assert (decode_image(message(np.zeros((8, 8), np.float32), "32FC1")) == 9).all()
    with pytest.raises(ImageError, match="Unrecognized image encoding"):
        decode_image(message(np.zeros((8, 8), np.float32), "nonsense"))


# --- compressed ---------------------------------------------------------------------------------


def compressed(data: bytes, form: str = "jpeg") -> SimpleNamespace:
    return SimpleNamespace(data=data, format=form)


def encoded(extension: str, image: np.ndarray) -> bytes:
    return cv2.imencode(extension, image)[1].tobytes()


SMOOTH = cv2.GaussianBlur(noise(3, 60, 80, 3), (0, 0), 3)


def test_png_is_exact():
    grey = SMOOTH[:, :, 0].copy()
    np.testing.assert_array_equal(decode_compressed(compressed(encoded(".png", grey))), grey)


def test_jpeg_is_the_grey_image():
    expected = cv2.cvtColor(SMOOTH, cv2.COLOR_BGR2GRAY)
    grey = decode_compressed(compressed(encoded(".jpg", SMOOTH)))
    assert np.abs(grey.astype(int) - expected).mean() < 2


def test_16_bit_png_is_stretched():
    values = np.linspace(0, 1023, 80 * 60).astype(np.uint16).reshape(60, 80)
    grey = decode_compressed(compressed(encoded(".png", values)))
    np.testing.assert_array_equal(grey, scale_to_8_bits(values))


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@given(share=st.floats(0, 0.99))
def test_cut_off_images_are_refused(extension, share):
    data = encoded(extension, SMOOTH)
    with pytest.raises(ImageError) as refusal:
        decode_compressed(compressed(data[: int(len(data) * share)]))
    assert refusal.value.kind == "compressed"


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"]))
def test_garbage_is_refused(data, head):
    with pytest.raises(ImageError):
        decode_compressed(compressed(head + data))


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize(
    "behind", [bytes(99), b"\xff\xda" + bytes(99), b"\xff\xd9", b"a note" * 40]
)
def test_bytes_after_the_end_of_an_image_do_no_harm(extension, behind):
    data = encoded(extension, SMOOTH)
    np.testing.assert_array_equal(
        decode_compressed(compressed(data + behind)), decode_compressed(compressed(data))
    )


def test_a_thumbnail_in_a_jpeg_is_not_its_end():
    data, thumbnail = encoded(".jpg", SMOOTH), encoded(".jpg", SMOOTH[:8, :8])
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = data[:2] + segment + data[2:]
    assert decode_compressed(compressed(whole)).shape == (60, 80)
    with pytest.raises(ImageError, match="cut off"):
        decode_compressed(compressed(whole[: len(segment) + 40]))


def test_a_part_of_a_png_that_claims_to_be_huge_is_refused():
    data = bytearray(encoded(".png", SMOOTH))
    data[33:37] = (2**30).to_bytes(4, "big")
    with pytest.raises(ImageError, match="is cut off before its end"):
        decode_compressed(compressed(bytes(data)))


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_an_image_that_claims_to_be_huge_is_refused_by_its_header(extension):
    data = bytearray(encoded(extension, SMOOTH))
    if extension == ".png":
        data[16:24] = (30_000).to_bytes(4, "big") * 2
        data[29:33] = crc32(data[12:29]).to_bytes(4, "big")
    else:
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = (30_000).to_bytes(2, "big") * 2
    with pytest.raises(
        ImageError, match="says that it is 30000x30000, which its bytes cannot hold"
    ):
        decode_compressed(compressed(bytes(data)))
