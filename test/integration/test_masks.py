"""Masks of moving things reach the images that they were made of."""

from __future__ import annotations

import numpy as np
import pytest
from ros_harness import MatcherClient, scene, view
from sensor_msgs.msg import Image

from coarse_loftr_ros.node.common.conversion import image_message

SCENE = scene()


@pytest.fixture(scope="module")
def client(start) -> MatcherClient:
    parameters = ("use_mask:=true", "freshness:=all", "mask_wait:=0.8", "diagnostics_period:=0.2")
    return start("/masked", *parameters)[1]


@pytest.fixture(autouse=True)
def without_reference(client) -> None:
    assert client.trigger("reset").success
    client.stamp += 10_000_000_000


def at(client: MatcherClient, x: int) -> Image:
    return client.message(view(SCENE, x, 0))


def send_mask(client: MatcherClient, image: Image, part: slice) -> None:
    """A mask with the header of an image, that keeps some of its columns."""
    mask = np.zeros((240, 320), np.uint8)
    mask[:, part] = 255
    client.mask.publish(image_message(mask, image.header))


LEFT, RIGHT, ALL = slice(0, 160), slice(160, 320), slice(0, 320)


def columns(points) -> np.ndarray:
    return np.reshape(points, (-1, 2))[:, 0]


def test_each_image_is_matched_with_its_own_mask_whatever_comes_first(client):
    first, second, third = (at(client, x) for x in (0, 2, 4))
    send_mask(client, first, ALL)
    client.spin(0.1)
    client.send(first)
    client.send(second)
    client.send(third)
    client.spin(0.2)
    assert not [m for m in client.correspondences if m.header.stamp == second.header.stamp]
    send_mask(client, second, LEFT)
    matched = client.result(second.header.stamp)[0]
    assert len(matched.confidence) > 20
    assert columns(matched.current_points).max() < 160
    send_mask(client, third, RIGHT)
    matched = client.result(third.header.stamp)[0]
    assert len(matched.confidence) == 0, "the masks of both images have no part in common"


def test_an_image_whose_mask_is_late_or_missing_is_matched_without_and_told(client):
    first, second, third = (at(client, x) for x in (0, 2, 4))
    client.send(first)
    send_mask(client, first, ALL)
    late = int(client.diagnostic("input")[2]["late masks"])
    client.match(second)
    send_mask(client, second, ALL)
    messages = ""

    def told() -> bool:
        nonlocal messages
        messages += client.latest("input")[1]
        return "images matched without their mask" in messages and " 1 masks came " in messages

    client.until(told, "the diagnostics")
    assert int(client.diagnostic("input")[2]["late masks"]) == late + 1
    client.send(third)
    fourth = at(client, 6)
    client.send(fourth)
    send_mask(client, fourth, ALL)
    matched = client.result(third.header.stamp)[0]
    assert columns(matched.current_points).max() > 200


def test_masks_that_fall_silent_hold_nothing_up(client):
    assert client.set_parameter("image_timeout", 0.3).successful
    try:
        client.send(at(client, 0))
        client.until(lambda: "no mask for" in client.latest("input")[1], "the diagnostics")
        assert "mask is silent; a mask of all images has stamp 0" in client.latest("input")[1]
        assert client.set_parameter("mask_wait", 10.0).successful
        client.match(at(client, 2))  # does not wait so long
    finally:
        assert client.set_parameter("mask_wait", 0.8).successful
        assert client.set_parameter("image_timeout", 2.0).successful
