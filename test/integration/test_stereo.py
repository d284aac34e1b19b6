"""A node with two cameras."""

from __future__ import annotations

import numpy as np
import pytest
from ros_harness import PERIOD_NS, MatcherClient, camera_info, scene, shift_of, view

from coarse_loftr_ros.node.common.conversion import time_message

PICTURE = scene()
DISPARITY = 9
STEP = 4  # px that the camera moves between two pairs


@pytest.fixture(scope="module")
def client(start) -> MatcherClient:
    return start(
        "/stereo",
        "mode:=stereo",
        "freshness:=all",
        "stereo.tolerance:=0.004",
        "diagnostics_period:=0.2",
        stereo=True,
    )[1]


def pair(
    client: MatcherClient,
    gap_ns: int = 0,
    right_size: tuple[int, int] = (320, 240),
    at: int = 0,
    lower: int = 0,
) -> list:
    """A left image and its right one, whose stamp is later by the gap."""
    left = client.message(view(PICTURE, at, 0), "left")
    right = client.message(view(PICTURE, at + DISPARITY, -lower, *right_size), "right")
    right.header.stamp = time_message(client.stamp - PERIOD_NS + gap_ns)
    client.stamp += PERIOD_NS
    return [left, right]


def send(client: MatcherClient, images: list) -> None:
    for side, image in enumerate(images):
        client.send(image, side)


def stereo(client: MatcherClient, images: list):
    """The matches of a left image with its right one."""

    def found():
        return next((m for m in client.stereo if m.reference_header == images[0].header), None)

    client.until(found, f"the stereo match of {images[0].header.stamp}")
    return found()


def points_of(message) -> tuple[np.ndarray, np.ndarray]:
    sides = message.reference_points, message.current_points
    return tuple(np.reshape(side, (-1, 2)) for side in sides)


def unpaired(client: MatcherClient) -> tuple[int, int]:
    values = client.diagnostic("input")[2]
    return int(values["unpaired left"]), int(values["unpaired right"])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_left_is_matched_with_right_whichever_comes_first(client, order):
    images = pair(client, 3_000_000)
    for side in order:
        client.send(images[side], side)
    message = stereo(client, images)
    assert message.header == images[1].header
    left, right = points_of(message)
    np.testing.assert_allclose(np.median(right - left, axis=0), (-DISPARITY, 0), atol=0.3)


def test_left_is_matched_with_the_left_before_it_and_its_points_keep_their_names(client):
    first, second = pair(client), pair(client, at=STEP)
    send(client, first)
    send(client, second)
    correspondences, homography = client.result(second[0].header.stamp)
    assert correspondences.reference_header == first[0].header
    np.testing.assert_allclose(shift_of(homography), (-STEP, 0), atol=0.3)
    names = dict(
        zip(stereo(client, first).track_id, points_of(stereo(client, first))[0], strict=True)
    )
    common = [
        (names[track], point)
        for track, point in zip(
            correspondences.track_id, points_of(correspondences)[0], strict=True
        )
        if track in names
    ]
    assert len(common) > 50
    assert all((a == b).all() for a, b in common)


def test_images_without_a_partner_are_counted(client):
    before = unpaired(client)
    for gap_ns in (8_000_000, -8_000_000):
        send(client, pair(client, gap_ns))
    images = pair(client)
    send(client, images)
    stereo(client, images)
    assert np.subtract(unpaired(client), before).tolist() == [2, 2]


def test_tolerance_changes_at_run_time(client):
    assert client.set_parameter("stereo.tolerance", 0.01).successful
    try:
        images = pair(client, 8_000_000)
        send(client, images)
        stereo(client, images)
    finally:
        assert client.set_parameter("stereo.tolerance", 0.004).successful


def test_time_that_goes_back_starts_the_pairing_afresh(client):
    images = pair(client)
    send(client, images)
    stereo(client, images)
    client.send(pair(client)[0], 0)  # waits for a partner that never comes
    client.spin(0.3)
    client.stamp -= 20_000_000_000
    images = pair(client)
    send(client, images)
    stereo(client, images)
    assert int(client.diagnostic("matching")[2]["reset: time"]) == 1


def test_a_pair_of_unequal_images_is_refused_and_the_next_matched(client):
    client.stamp += 100_000_000_000
    send(client, pair(client, right_size=(160, 120)))
    images = pair(client)
    send(client, images)
    stereo(client, images)
    assert client.diagnostic("input")[2]["rejected: stereo"] == "1"


def test_a_keyframe_is_set_on_the_left_images(client):
    images = pair(client)
    send(client, images)
    stereo(client, images)
    answer = client.trigger("set_keyframe")
    assert answer.success and "newest image" in answer.message


def test_rows_that_do_not_correspond_are_rejected_once_the_cameras_say_so(client):
    """Last of this module: the calibration stays."""
    images = pair(client, lower=5)
    send(client, images)
    assert len(stereo(client, images).confidence) > 50
    for side, baseline in enumerate((0.0, 0.1)):
        client.camera_info[side].publish(camera_info(320, 240, 300.0, baseline=baseline))
    client.spin(0.3)
    straight = pair(client)
    send(client, straight)
    assert len(stereo(client, straight).confidence) > 50
    bent = pair(client, lower=5)
    send(client, bent)
    assert len(stereo(client, bent).confidence) < 10
    assert "are not on one row (right lies +5.0 px lower)" in client.process.output
    assert int(client.diagnostic("matching")[2]["off their row"]) > 50


def test_swapped_eyes_and_a_wrong_sign_are_named_as_that(start):
    client = start("/swapped", "mode:=stereo", "freshness:=all", stereo=True)[1]
    for side, baseline in enumerate((0.0, 0.1)):
        client.camera_info[side].publish(camera_info(320, 240, 300.0, baseline=baseline))
    client.spin(0.3)
    images = pair(client)
    images[0].data, images[1].data = images[1].data, images[0].data
    send(client, images)
    assert len(stereo(client, images).confidence) < 10
    client.process.wait_for_output("have a negative disparity: left and right look swapped")
    client.camera_info[1].publish(camera_info(320, 240, 300.0, baseline=-0.1))
    client.spin(0.3)
    images = pair(client)
    send(client, images)
    assert len(stereo(client, images).confidence) > 50
    client.process.wait_for_output("P[3] of right camera_info is 30; it must be negative: left and")
