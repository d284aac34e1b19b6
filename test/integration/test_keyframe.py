"""A node that matches with a keyframe."""

from __future__ import annotations

import numpy as np
import pytest
from ros_harness import MatcherClient, scene, view

PICTURE = scene()


@pytest.fixture(scope="module")
def client(start) -> MatcherClient:
    return start(
        "/keyframe",
        "freshness:=all",
        "image_reliability:=reliable",
        "pairing:=keyframe",
        "keyframe.max_age:=5",
        "keyframe.min_inliers:=20",
        "keyframe.min_coverage:=0.1",
    )[1]


def sent(client: MatcherClient, *shifts: int) -> list:
    messages = [client.message(view(PICTURE, shift, 0)) for shift in shifts]
    for message in messages:
        client.send(message)
    return messages


def tracks(correspondences) -> dict[int, tuple[float, float]]:
    points = np.reshape(correspondences.reference_points, (-1, 2))
    return {
        number: tuple(point) for number, point in zip(correspondences.track_id, points, strict=True)
    }


def test_track_ids_name_the_same_points_while_the_keyframe_stays(client):
    client.trigger("reset")
    keyframe, *others = sent(client, 0, 2, 4, 6)
    results = [client.result(message.header.stamp)[0] for message in others]
    assert all(result.reference_header == keyframe.header for result in results)
    first, last = tracks(results[0]), tracks(results[-1])
    shared = first.keys() & last.keys()
    assert len(shared) > 30
    assert all(first[number] == last[number] for number in shared)


def test_an_aged_keyframe_is_replaced_and_ids_start_afresh(client):
    client.trigger("reset")
    messages = sent(client, 0, 1, 2, 3, 4, 5, 6, 7)
    results = [client.result(message.header.stamp)[0] for message in messages[1:]]
    references = [result.reference_header.stamp for result in results]
    assert references == [messages[0].header.stamp] * 5 + [messages[5].header.stamp] * 2
    assert not tracks(results[0]).keys() & tracks(results[-1]).keys()


def test_set_keyframe_takes_the_newest_image(client):
    client.trigger("reset")
    _, _, newest = sent(client, 0, 2, 4)
    client.result(newest.header.stamp)
    answer = client.trigger("set_keyframe")
    assert answer.success, answer.message
    (following,) = sent(client, 6)
    correspondences, _ = client.result(following.header.stamp)
    assert correspondences.reference_header == newest.header


def test_pairing_changes_at_run_time(client):
    client.trigger("reset")
    keyframe, second = sent(client, 0, 2)
    client.result(second.header.stamp)
    try:
        assert client.set_parameter("pairing", "consecutive").successful
        third, fourth = sent(client, 4, 6)
        # The policy speaks after a match: the third is matched with the keyframe still.
        assert client.result(third.header.stamp)[0].reference_header == keyframe.header
        assert client.result(fourth.header.stamp)[0].reference_header == third.header
    finally:
        assert client.set_parameter("pairing", "keyframe").successful
