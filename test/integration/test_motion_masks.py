"""A node leaves out what moves by itself, as soon as its parameter says so."""

from __future__ import annotations

import numpy as np
import pytest
from ros_harness import MatcherClient, scene, view

PLANE, SQUARE = scene(640, 480), scene(seed=3)[:180, :180]


@pytest.fixture(scope="module")
def client(start) -> MatcherClient:
    parameters = ("pairing:=keyframe", "freshness:=all", "diagnostics_period:=0.2")
    return start("/moving", *parameters)[1]


def image(step: int) -> np.ndarray:
    """A plane that goes by slowly, and before it a square that goes the other way."""
    picture = view(PLANE, 3 * step, 0, 640, 480).copy()
    left = 200 + 9 * step
    picture[150:330, left : left + 180] = SQUARE
    return picture


def on_square(client: MatcherClient, step: int) -> int:
    """Matches on the square of the next image."""
    matched = client.match(client.message(image(step)))[0]
    x, y = np.reshape(matched.current_points, (-1, 2)).T
    assert len(x) > 100
    left = 200 + 9 * step
    return int(((x > left + 4) & (x < left + 176) & (y > 154) & (y < 326)).sum())


def test_the_parameter_takes_effect_in_a_stream_and_a_break_forgets_what_moved(client):
    client.send(client.message(image(0)))
    assert on_square(client, 1) > 20
    assert "left out as moving" not in client.diagnostic("matching")[2]
    assert client.set_parameter("motion_mask", True).successful
    last = [on_square(client, step) for step in range(2, 6)][-1]
    assert last == 0
    assert client.diagnostic("matching")[2]["left out as moving"].endswith("%")
    small = [client.message(view(PLANE, x, 0)) for x in (0, 2)]
    client.send(small[0])
    assert len(client.match(small[1])[0].confidence) > 50
    client.send(client.message(image(0)))
    assert on_square(client, 1) > 20, "one image is no evidence"
    assert client.set_parameter("motion_mask", False).successful
    assert on_square(client, 4) > 20
