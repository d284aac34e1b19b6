"""A node with one camera that matches consecutive images."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from ros_harness import MatcherClient, NodeProcess, scene, shift_of, view
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from coarse_loftr_ros.node.common.conversion import image_message

PICTURE = scene()


@pytest.fixture(scope="module")
def running(start) -> tuple[NodeProcess, MatcherClient]:
    # Overlays at any rate, or the one of a test right after another's would be left out.
    parameters = ("use_mask:=true", "diagnostics_period:=0.2", "overlay.max_rate:=1000.0")
    return start("/mono", "freshness:=all", *parameters)


@pytest.fixture
def client(running) -> MatcherClient:
    """The client, with a node that has no reference."""
    client = running[1]
    assert client.trigger("reset").success
    client.stamp += 10_000_000_000
    return client


def at(client: MatcherClient, x: int, y: int) -> Image:
    return client.message(view(PICTURE, x, y))


def test_shift_between_two_images_is_found(client):
    before = at(client, 0, 0)
    client.send(before)
    current = at(client, 7, -4)
    correspondences, homography = client.match(current)
    assert homography.status == homography.OK, homography.reason
    # The view moved right and up in the scene, so the scene moved left and down in the image.
    np.testing.assert_allclose(shift_of(homography), (-7, 4), atol=0.3)
    for message in (correspondences, homography):
        assert message.header == current.header
        assert message.reference_header == before.header
        assert (message.width, message.height) == (320, 240)
        assert (message.reference_width, message.reference_height) == (320, 240)


def test_fields_of_the_messages_agree(client):
    client.send(at(client, 0, 0))
    correspondences, homography = client.match(at(client, 5, 5))
    number = len(correspondences.confidence)
    assert number == homography.match_count > 50
    assert len(correspondences.reference_points) == len(correspondences.current_points)
    assert len(correspondences.current_points) == 2 * number
    assert len(set(correspondences.track_id)) == number
    assert sum(correspondences.inlier) == homography.inlier_count
    assert homography.inlier_ratio == pytest.approx(homography.inlier_count / number)
    reference = np.reshape(correspondences.reference_points, (-1, 2))
    current = np.reshape(correspondences.current_points, (-1, 2))
    matrix = homography.matrix.reshape(3, 3)
    moved = np.c_[reference, np.ones(number)] @ matrix.T
    errors = np.linalg.norm(moved[:, :2] / moved[:, 2:] - current, axis=1)
    inlier = np.asarray(correspondences.inlier, bool)
    assert np.sqrt(np.mean(errors[inlier] ** 2)) == pytest.approx(homography.rms_px, rel=1e-3)


def test_each_image_is_matched_with_the_one_before(client):
    messages = [at(client, 4 * i, 0) for i in range(4)]
    for message in messages:
        client.send(message)
    for before, message in pairwise(messages):
        correspondences, homography = client.result(message.header.stamp)
        assert correspondences.reference_header == before.header
        np.testing.assert_allclose(shift_of(homography), (-4, 0), atol=0.3)


def test_colour_images_are_matched(client):
    for x in (0, 6):
        colour = cv2.cvtColor(view(PICTURE, x, 0), cv2.COLOR_GRAY2BGR)
        message = client.message(colour)
        client.send(message)
    _, homography = client.result(message.header.stamp)
    np.testing.assert_allclose(shift_of(homography), (-6, 0), atol=0.3)


def test_photographs_are_matched(client, shared_dir):
    frames = sorted((shared_dir / "data/dev/vo/kitti06_stereo_51").rglob("image_0/*.png"))[:2]
    for path in frames:
        message = client.message(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        client.send(message)
    correspondences, homography = client.result(message.header.stamp)
    assert (correspondences.width, correspondences.height) == (1226, 370)
    assert homography.status != homography.LOST, homography.reason


# --- images that cannot follow ------------------------------------------------------------------


def changed(client: MatcherClient, what: str) -> Image:
    """An image that cannot follow those before."""
    if what == "time":
        client.stamp -= 5_000_000_000
    message = at(client, 0, 0)
    if what == "resolution":
        message = client.message(view(PICTURE, 0, 0, 256, 192))
    if what == "encoding":
        message.encoding = "8UC1"
    if what == "frame_id":
        message.header.frame_id = "another_camera"
    return message


@pytest.mark.parametrize("what", ["time", "resolution", "encoding", "frame_id"])
def test_a_change_resets_the_reference_and_is_counted(running, client, what):
    client.send(at(client, 0, 0))
    client.match(at(client, 3, 0))
    before = int(client.diagnostic("matching")[2].get(f"reset: {what}", 0))
    first = changed(client, what)
    client.send(first)
    second = client.message(np.roll(view(PICTURE, 0, 0), 2, axis=1), first.header.frame_id)
    if what == "resolution":
        second = client.message(view(PICTURE, 5, 0, 256, 192))
    second.encoding = first.encoding
    correspondences, homography = client.match(second)
    assert correspondences.reference_header == first.header, "the first has become the reference"
    assert homography.status == homography.OK
    assert all(m.header.stamp != first.header.stamp for m in client.correspondences)
    assert int(client.diagnostic("matching")[2][f"reset: {what}"]) == before + 1
    running[0].wait_for_output("this image is the new reference", 2)


# --- messages that cannot be used ---------------------------------------------------------------


def spoilt(message: Image, how: str) -> Image:
    if how == "step":
        message.step = 100
    elif how == "truncated":
        message.data = message.data[:1000]
    elif how == "size":
        message.width = 0
    elif how == "encoding":
        message.encoding = "64FC9"
    return message


@pytest.mark.parametrize("how", ["step", "truncated", "size", "encoding"])
def test_the_next_good_image_is_matched_after_a_bad_one(running, client, how):
    good = at(client, 0, 0)
    client.send(good)
    before = int(client.diagnostic("input")[2].get(f"rejected: {how}", 0))
    client.send(spoilt(at(client, 1, 1), how))
    correspondences, homography = client.match(at(client, 7, -4))
    assert correspondences.reference_header == good.header
    np.testing.assert_allclose(shift_of(homography), (-7, 4), atol=0.3)
    assert int(client.diagnostic("input")[2][f"rejected: {how}"]) == before + 1


def test_a_bad_image_is_logged_with_its_reason(running, client):
    running[0].wait_for_output("image step is 100; 320 px of mono8 need at least 320 bytes", 2)
    running[0].wait_for_output("image encoding '64FC9' is not known", 2)


def test_a_flat_image_is_lost_and_says_why(client):
    client.send(at(client, 0, 0))
    _, homography = client.match(client.message(np.full((240, 320), 128, np.uint8)))
    assert homography.status == homography.LOST
    assert homography.reason
    np.testing.assert_array_equal(homography.matrix, np.eye(3).reshape(9))


# --- parameters, services, mask, overlay --------------------------------------------------------


def test_parameters_change_between_two_images(client):
    try:
        assert client.set_parameter("max_matches", 20).successful
        client.send(at(client, 0, 0))
        correspondences, _ = client.match(at(client, 4, 4))
        assert len(correspondences.confidence) <= 20
    finally:
        assert client.set_parameter("max_matches", 1000).successful
    correspondences, _ = client.match(at(client, 8, 8))
    assert len(correspondences.confidence) > 50


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("confidence_threshold", 1.5, "confidence_threshold"),
        ("confidence_threshold", "high", "type"),
        ("pairing", "random", "allowed are consecutive, keyframe"),
        ("mode", "stereo", "it is active; deactivate and clean up first"),
    ],
)
def test_bad_parameter_changes_are_refused_in_words(client, name, value, word):
    result = client.set_parameter(name, value)
    assert not result.successful
    assert word in result.reason


def test_reset_makes_the_next_image_the_reference(client):
    client.send(at(client, 0, 0))
    client.match(at(client, 4, 0))
    assert client.trigger("reset").success
    first = at(client, 0, 4)
    client.send(first)
    correspondences, _ = client.match(at(client, 4, 4))
    assert correspondences.reference_header == first.header


def test_mask_keeps_matches_where_it_is_not_zero(client):
    mask = np.zeros((240, 320), np.uint8)
    mask[:, :160] = 255
    client.mask.publish(image_message(mask, Header()))
    client.spin(0.5)
    try:
        client.send(at(client, 0, 0))
        correspondences, _ = client.match(at(client, 4, 0))
        x = np.reshape(correspondences.current_points, (-1, 2))[:, 0]
        assert len(x) > 20
        assert x.max() < 160
        client.mask.publish(image_message(mask[:100, :100], Header()))
        client.spin(0.5)
        client.match(at(client, 8, 0))  # its reference still has the first mask
        correspondences, _ = client.match(at(client, 12, 0))
        assert np.reshape(correspondences.current_points, (-1, 2))[:, 0].max() > 160
        assert int(client.diagnostic("input")[2]["rejected: mask"]) >= 1
    finally:
        client.mask.publish(image_message(np.full((240, 320), 255, np.uint8), Header()))
        client.spin(0.5)


def test_overlay_is_drawn_while_someone_looks(client):
    pictures: list[Image] = []
    subscription = client.node.create_subscription(Image, "matcher/overlay", pictures.append, 10)
    client.until(lambda: client.node.count_publishers("matcher/overlay"), "the overlay's publisher")
    client.settle()
    client.send(at(client, 0, 0))
    message = at(client, 4, 0)
    client.match(message)
    client.until(lambda: pictures, "an overlay")
    picture = pictures[-1]
    assert picture.header == message.header
    assert picture.encoding == "bgr8"
    assert picture.width == 320
    assert picture.height > 240
    assert len(picture.data) == picture.step * picture.height
    client.node.destroy_subscription(subscription)


def test_overlay_is_a_jpeg_too_while_someone_looks_at_that(client):
    pictures: list[CompressedImage] = []
    topic = "matcher/overlay/compressed"
    subscription = client.node.create_subscription(CompressedImage, topic, pictures.append, 10)
    client.until(lambda: client.node.count_publishers(topic), "the compressed overlay's publisher")
    client.settle()
    client.send(at(client, 0, 0))
    message = at(client, 4, 0)
    client.match(message)
    client.until(lambda: pictures and pictures[-1].header == message.header, "a JPEG")
    picture = pictures[-1]
    assert picture.format == "bgr8; jpeg compressed bgr8"
    image = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image.shape[1:] == (320, 3)
    assert image.shape[0] > 240
    assert len(picture.data) < image.size / 4
    client.node.destroy_subscription(subscription)


def test_diagnostics_tell_rates_times_backend_and_status(client):
    client.send(at(client, 0, 0))
    client.match(at(client, 4, 0))
    level, message, values = client.diagnostic("input")
    assert level == 0, message
    assert float(values["input rate (Hz)"]) > 0
    level, message, values = client.diagnostic("matching")
    assert message.endswith("OK")
    assert values["status"] == "OK"
    assert values["backend"].startswith(("OpenVINO", "ONNX Runtime"))
    for stage in ("decode", "encode", "match", "refine", "homography", "publish"):
        assert 0 <= float(values[f"{stage} p50 (ms)"]) <= float(values[f"{stage} p95 (ms)"])
    pipeline = float(values["pipeline p50 (ms)"])
    assert pipeline <= float(values["received to published p50 (ms)"])
