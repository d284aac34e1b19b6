"""Masks of moving things reach the images that they were made of."""

from __future__ import annotations

import numpy as np
import pytest
from detectors import bright_detector
from mask_harness import MaskClient
from ros_harness import MatcherClient, scene, view
from sensor_msgs.msg import Image

from coarse_loftr_ros.node.common.conversion import image_message, stamp_ns

SCENE = scene()


@pytest.fixture(scope="module")
def masked(start) -> MatcherClient:
    parameters = ("use_mask:=true", "freshness:=all", "mask_wait:=0.8", "diagnostics_period:=0.2")
    return start("/masked", *parameters)[1]


@pytest.fixture
def client(masked) -> MatcherClient:
    """The client, with a node that has no reference."""
    assert masked.trigger("reset").success
    masked.stamp += 10_000_000_000
    return masked


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


# --- the mask node ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def masking(start_masking) -> MaskClient:
    return start_masking("/masking", "dilation:=2", "image_reliability:=reliable")


def lamp(x: int, y: int, width: int = 320, height: int = 256) -> np.ndarray:
    image = np.zeros((height, width), np.uint8)
    image[y : y + 8, x : x + 8] = 255
    return image


def test_each_image_gets_the_mask_of_what_is_in_it(masking):
    assert masking.left_out(masking.send(lamp(80, 40))) == [78, 38, 89, 49]
    assert masking.left_out(masking.send(lamp(160, 200))) == [158, 198, 169, 209]
    assert masking.left_out(masking.send(np.zeros((256, 320), np.uint8))) == []
    assert masking.left_out(masking.send(lamp(16, 16, 640, 512) * 0)) == []


def test_many_images_at_once_all_get_a_mask(masking):
    sent = [masking.send(lamp(8 * i, 40)) for i in range(8)]
    assert all(masking.left_out(image) for image in sent)
    stamps = [stamp_ns(mask.header.stamp) for mask in masking.masks]
    assert stamps == sorted(stamps)


def test_parameters_change_between_two_images_and_bad_ones_are_refused(masking):
    try:
        assert masking.set_parameter("classes", "dark").successful
        assert masking.left_out(masking.send(lamp(80, 40))) == []
        answer = masking.set_parameter("classes", "lamp, cat")
        assert not answer.successful
        assert answer.reason == (
            "parameter 'classes': class 'cat' is none of detector bright.yaml; it knows lamp, dark"
        )
        assert masking.set_parameter("classes", "lamp").successful
        assert masking.set_parameter("rate", 0.5).successful
        assert masking.left_out(masking.send(lamp(80, 40))) == [78, 38, 89, 49]
        held = masking.left_out(masking.send(lamp(160, 40)))
        assert held == [78, 38, 89, 49], "the boxes of the last detection"
    finally:
        assert masking.set_parameter("rate", 0.0).successful
        assert masking.set_parameter("classes", "").successful


def test_what_cannot_be_used_is_dropped_and_told(masking):
    bad = masking.send(lamp(80, 40))
    bad.encoding = "nonsense"
    masking.images.publish(bad)
    masking.until(
        lambda: "unusable messages: 1 encoding" in masking.latest("input")[1], "the diagnostics"
    )
    masking.left_out(masking.send(lamp(80, 40)))
    level, message, values = masking.diagnostic("masks")
    assert (level, message) == (0, "OK")
    assert (values["things left out"], values["detector"]) == ("1", "bright.onnx")
    assert float(values["detect p50 (ms)"]) > 0
    assert masking.diagnostic("input")[2]["rejected: encoding"] == "1"


def test_a_detector_that_cannot_be_used_is_told_and_the_node_can_be_configured_again(
    start_masking, tmp_path
):
    client = start_masking("/gone", "detector:=/gone.yaml", "autostart:=false", active=False)
    for value, sentence in (
        ("/gone.yaml", "detector /gone.yaml cannot be read: No such file or directory"),
        ("", "parameter 'detector' is empty; it must be the path of a detector's description"),
        (str(bright_detector(tmp_path)), "detector bright.onnx looks for lamp, dark"),
    ):
        assert client.state() == "unconfigured"
        assert client.set_parameter("detector", value).successful
        client.transition(1)
        client.process.wait_for_output(sentence)
    assert client.state() == "inactive"


def test_masks_reach_the_matcher(start, masking):
    """Both nodes and a camera, as on a robot."""
    # What waits for the first mask must fit the queue: beyond it images go on without a mask.
    parameters = ("mask_wait:=10.0", "image_timeout:=60.0", "queue_depth:=100")
    _, matcher = start(masking.namespace, "use_mask:=true", "freshness:=all", *parameters)
    matcher.settle("mask")
    while not matcher.correspondences:  # until the nodes know each other and masks reach it
        matcher.send(at(matcher, 0))
        matcher.spin(0.1)
    masking.masks.clear()
    sent = []
    for x in (0, 2, 4):
        picture = np.minimum(view(SCENE, x, 0), 60)
        picture[104:136, 160:240] = 255  # rows and columns of cells of the detector
        sent.append(matcher.message(picture))
        matcher.send(sent[-1])
    matched = matcher.result(sent[-1].header.stamp)[0]
    points = np.reshape(matched.current_points, (-1, 2))
    assert len(points) > 50
    left, top, right, bottom = masking.left_out(sent[-1])
    assert (left, top, right, bottom) == (158, 102, 241, 137)
    inside = (points > (left, top)).all(1) & (points < (right, bottom)).all(1)
    assert not inside.any()
    assert matcher.diagnostic("input")[2]["late masks"] == "0"
