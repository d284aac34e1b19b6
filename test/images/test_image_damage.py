"""Image files whose bytes cannot be what they say are refused before memory is taken for them."""

import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from coarse_loftr_ros.images.damage import damage
from coarse_loftr_ros.images.decoding import ImageError, decode_compressed

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64), np.uint8)
JPEG_FRAME, PNG_HEADER = b"\xff\xc0", b"IHDR"


def encoded(suffix, image, *options):
    return cv2.imencode(suffix, image, options)[1].tobytes()


def of_size(data, width, height):
    """The same file with another size in its header."""
    if data.startswith(b"\xff"):
        place = data.find(JPEG_FRAME) + 5
        return (
            data[:place] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[place + 4 :]
        )
    place = data.find(PNG_HEADER)
    header = PNG_HEADER + width.to_bytes(4, "big") + height.to_bytes(4, "big")
    header += data[place + 12 : place + 17]
    return data[:place] + header + zlib.crc32(header).to_bytes(4, "big") + data[place + 21 :]


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
@pytest.mark.parametrize("quality", [1, 95])
@pytest.mark.parametrize("level", [0, 100, 255])
def test_jpegs_of_one_colour_are_whole_though_they_have_few_bytes(level, quality, options):
    image = np.full((2160, 3840, 3), level, np.uint8)
    assert not damage(encoded(".jpg", image, cv2.IMWRITE_JPEG_QUALITY, quality, *options))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(2160, 3840), (1080, 1920, 3), (1080, 1920, 4), (1, 1)])
def test_pngs_of_one_colour_are_whole_though_they_have_few_bytes(shape, kind):
    for level in range(0, 10, 9):
        image = np.full(shape, level, kind)
        assert not damage(encoded(".png", image, cv2.IMWRITE_PNG_COMPRESSION, level))


def test_a_png_of_one_bit_per_pixel_is_whole():
    assert not damage(encoded(".png", np.zeros((2160, 3840), np.uint8), cv2.IMWRITE_PNG_BILEVEL, 1))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_size_that_the_bytes_cannot_hold_is_refused(suffix):
    message = SimpleNamespace(data=of_size(encoded(suffix, NOISE), 30000, 30000), format="any")
    with pytest.raises(ImageError, match="says that it is 30000x30000") as refusal:
        decode_compressed(message)
    assert refusal.value.kind == "compressed"


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_file_is_whole_at_its_last_byte_alone(suffix):
    data = encoded(suffix, NOISE)
    assert not damage(data)
    assert not damage(data + bytes(64))
    for length in range(8, len(data), 37):
        assert damage(data[:length]) == "is cut off before its end"


def test_the_length_of_a_part_that_is_longer_than_the_file_is_refused():
    data = bytearray(encoded(".png", NOISE))
    place = data.find(b"IDAT") - 4
    data[place] = 0x20  # 512 MiB more
    assert damage(bytes(data)) == "is cut off before its end"


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_any_bytes_are_judged(suffix):
    whole = encoded(suffix, NOISE)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 9)):
            data[place] = rng.integers(256)
        damage(bytes(data[: rng.integers(0, len(data) + 1)]))
    for length in range(40):
        damage(b"\xff\xd8" + rng.bytes(length))


@pytest.mark.parametrize("suffix", [".bmp", ".pgm", ".webp"])
def test_other_formats_are_left_to_their_decoder(suffix):
    assert not damage(encoded(suffix, NOISE)[:50])
