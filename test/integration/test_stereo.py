"""A node with two cameras."""

from __future__ import annotations

import numpy as np
import pytest
from ros_harness import PERIOD_NS, Client, scene, shift_of, view

from coarse_loftr_ros.node.conversion import time_message

PICTURE = scene()
DISPARITY = 9


@pytest.fixture(scope="module")
def client(start) -> Client:
    return start(
        "/stereo",
        "mode:=stereo",
        "freshness:=all",
        "stereo.tolerance:=0.004",
        "diagnostics_period:=0.2",
        stereo=True,
    )[1]


def pair(client: Client, gap_ns: int = 0, right_size: tuple[int, int] = (320, 240)) -> list:
    """A left image and its right one, whose stamp is later by the gap."""
    left = client.message(view(PICTURE, 0, 0), "left")
    right = client.message(view(PICTURE, DISPARITY, 0, *right_size), "right")
    right.header.stamp = time_message(client.stamp - PERIOD_NS + gap_ns)
    client.stamp += PERIOD_NS
    return [left, right]


def unpaired(client: Client) -> tuple[int, int]:
    values = client.diagnostic("input")[2]
    return int(values["unpaired left"]), int(values["unpaired right"])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_left_is_matched_with_right_whichever_comes_first(client, order):
    images = pair(client, 3_000_000)
    for side in order:
        client.send(images[side], side)
    correspondences, homography = client.result(images[1].header.stamp)
    assert correspondences.reference_header == images[0].header
    assert correspondences.header == images[1].header
    np.testing.assert_allclose(shift_of(homography), (-DISPARITY, 0), atol=0.3)


def test_images_without_a_partner_are_counted(client):
    before = unpaired(client)
    for gap_ns in (8_000_000, -8_000_000):
        left, right = pair(client, gap_ns)
        client.send(left, 0)
        client.send(right, 1)
    left, right = pair(client)
    client.send(left, 0)
    client.send(right, 1)
    client.result(right.header.stamp)
    assert np.subtract(unpaired(client), before).tolist() == [2, 2]


def test_tolerance_changes_at_run_time(client):
    assert client.set_parameter("stereo.tolerance", 0.01).successful
    try:
        left, right = pair(client, 8_000_000)
        client.send(left, 0)
        client.send(right, 1)
        client.result(right.header.stamp)
    finally:
        assert client.set_parameter("stereo.tolerance", 0.004).successful


def test_time_that_goes_back_starts_the_pairing_afresh(client):
    left, right = pair(client)
    client.send(left, 0)
    client.send(right, 1)
    client.result(right.header.stamp)
    client.send(pair(client)[0], 0)  # waits for a partner that never comes
    client.spin(0.3)
    client.stamp -= 20_000_000_000
    for _ in range(2):  # the second camera's jump may cost the first pair
        left, right = pair(client)
        client.send(left, 0)
        client.send(right, 1)
        client.spin(0.3)
    client.result(right.header.stamp)
    assert int(client.diagnostic("matching")[2]["reset: time"]) >= 1


def test_a_pair_of_unequal_images_is_refused_and_the_next_matched(client):
    client.stamp += 100_000_000_000
    left, right = pair(client, right_size=(160, 120))
    client.send(left, 0)
    client.send(right, 1)
    left, right = pair(client)
    client.send(left, 0)
    client.send(right, 1)
    client.result(right.header.stamp)
    assert client.diagnostic("input")[2]["rejected: stereo"] == "1"


def test_there_is_no_keyframe_to_set(client):
    answer = client.trigger("set_keyframe")
    assert not answer.success
    assert "stereo" in answer.message
