"""A JPEG's size is read from its header, and not believed when its bytes cannot hold it."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from coarse_loftr_ros.image_decoding import ImageError, decode_compressed
from coarse_loftr_ros.jpeg_size import fits, size_of

FRAME = b"\xff\xc0"


def jpeg(image, *options):
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def claiming(data, width, height):
    """The same file with other sizes in its header."""
    place = data.find(FRAME) + 5
    sizes = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return data[:place] + sizes + data[place + 4 :]


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("shape", [(37, 50), (37, 50, 3), (1, 1)])
def test_the_size_is_that_of_the_image(shape, progressive):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = jpeg(image, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    assert size_of(data) == shape[1::-1]


@pytest.mark.parametrize("quality", [1, 95])
@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("level", [0, 255])
def test_images_of_one_colour_fit_into_their_few_bytes(level, progressive, quality):
    image = np.full((2160, 3840, 3), level, np.uint8)
    options = (cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    data = jpeg(image, *options)
    assert fits(size_of(data), len(data))


def test_a_size_that_the_bytes_cannot_hold_is_refused_before_memory_is_taken():
    data = claiming(jpeg(np.full((48, 64), 100, np.uint8)), 30000, 30000)
    message = SimpleNamespace(data=data, format="jpeg")
    with pytest.raises(ImageError, match="says that it is 30000x30000"):
        decode_compressed(message)


@pytest.mark.parametrize("length", range(0, 400, 7))
def test_the_size_of_a_file_that_ends_early_is_not_known_or_right(length):
    data = jpeg(np.full((48, 64), 100, np.uint8))[:length]
    assert size_of(data) in (None, (64, 48))


def test_bytes_that_are_no_jpeg_have_no_size():
    rng = np.random.default_rng(0)
    for _ in range(300):
        size_of(b"\xff\xd8" + rng.bytes(200))
    assert size_of(b"\xff\xd8" + bytes(100)) is None
    assert size_of(b"") is None
