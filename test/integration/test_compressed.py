"""A node that takes compressed images."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest
from ros_harness import MatcherClient, scene, shift_of, view
from sensor_msgs.msg import CompressedImage

PICTURE = scene()


@pytest.fixture(scope="module")
def client(start) -> MatcherClient:
    return start(
        "/compressed", "image_transport:=compressed", "freshness:=all", "diagnostics_period:=0.2"
    )[1]


def at(client: MatcherClient, x: int, y: int, extension: str = ".jpg") -> CompressedImage:
    header = client.message(np.zeros((1, 1), np.uint8)).header
    data = cv2.imencode(extension, view(PICTURE, x, y))[1].tobytes()
    return CompressedImage(header=header, format=extension[1:], data=array.array("B", data))


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_compressed_images_are_matched(client, extension):
    client.trigger("reset")
    client.send(at(client, 0, 0, extension))
    _, homography = client.match(at(client, 7, -4, extension))
    np.testing.assert_allclose(shift_of(homography), (-7, 4), atol=0.5)


@pytest.mark.parametrize("how", ["cut off", "empty", "no image"])
def test_the_next_good_image_is_matched_after_a_broken_one(client, how):
    client.trigger("reset")
    good = at(client, 0, 0)
    client.send(good)
    broken = at(client, 3, 3)
    if how == "cut off":
        broken.data = broken.data[: len(broken.data) // 2]
    elif how == "empty":
        broken.data = array.array("B")
    else:
        broken.data = array.array("B", bytes(1000))
    before = int(client.diagnostic("input")[2].get("rejected: compressed", 0))
    client.send(broken)
    correspondences, homography = client.match(at(client, 7, -4))
    assert correspondences.reference_header == good.header
    np.testing.assert_allclose(shift_of(homography), (-7, 4), atol=0.5)
    assert int(client.diagnostic("input")[2]["rejected: compressed"]) == before + 1
