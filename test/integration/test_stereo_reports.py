"""What a node with two cameras says when they do not work together."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from ros_harness import PERIOD_NS, MatcherClient, scene, view
from std_msgs.msg import Header

from coarse_loftr_ros.node.common.conversion import image_message, stamp_ns, time_message

PICTURE = scene()
DISPARITY = 9


@pytest.fixture(scope="module")
def client(start) -> MatcherClient:
    return start(
        "/reports",
        "mode:=stereo",
        "freshness:=all",
        "image_reliability:=reliable",
        "queue_depth:=40",
        "image_timeout:=0.5",
        "diagnostics_period:=0.2",
        stereo=True,
    )[1]


def eye(client: MatcherClient, side: int, stamp: int) -> None:
    """Send an image of one eye."""
    at = (stamp // PERIOD_NS) % 8
    header = Header(stamp=time_message(stamp), frame_id="camera")
    client.send(image_message(view(PICTURE, at + DISPARITY * side, 0), header), side)


def stream(
    client: MatcherClient,
    until: Callable[[], bool],
    sides: tuple[int, ...] = (0, 1),
    gap_ns: int = 0,
) -> None:
    """Let both cameras, or one, run at about 25 Hz until something is so."""
    end = time.monotonic() + 20
    while not until():
        assert time.monotonic() < end, client.process.output
        client.stamp += PERIOD_NS
        for side in sides:
            eye(client, side, client.stamp + side * gap_ns)
        client.spin(0.04)


def said(client: MatcherClient, name: str, level: int, words: str) -> Callable[[], bool]:
    def check() -> bool:
        now = client.latest(name)
        return now[0] == level and words in now[1]

    return check


def healthy(client: MatcherClient) -> None:
    client.diagnostics.clear()
    stream(client, said(client, "input", 0, "images per second"))
    stream(client, said(client, "matching", 0, "OK"))


def test_both_eyes_have_their_rate(client):
    healthy(client)
    values = client.diagnostic("input")[2]
    assert int(values["received left"]) > 0 and int(values["received right"]) > 0
    assert float(values["input rate (Hz) left"]) > 0 and float(values["input rate (Hz) right"]) > 0


@pytest.mark.parametrize(("alive", "dead"), [(0, "right"), (1, "left")])
def test_a_dead_eye_is_a_warning_that_names_it_and_an_error_when_it_lasts(client, alive, dead):
    healthy(client)
    lives = ("left", "right")[alive]
    stream(client, said(client, "input", 1, f"no {dead} image for "), (alive,))
    stream(client, said(client, "matching", 2, f"{lives} waiting for a partner"), (alive,))
    assert "images come, nothing was published for " in client.latest("matching")[1]
    assert f"the publishers of /reports/{dead}/image are silent" in client.latest("input")[1]


def test_eyes_apart_by_more_than_the_tolerance_are_a_warning_with_the_gap(client):
    healthy(client)
    words = "are 12.0 ms apart (median), stereo.tolerance is 5.0 ms"
    stream(client, said(client, "input", 1, words), gap_ns=12_000_000)
    stream(client, said(client, "matching", 2, "nothing was published"), gap_ns=12_000_000)
    healthy(client)


def test_an_eye_that_comes_late_by_35_images_costs_nothing_where_40_may_wait(client):
    lag = 35
    healthy(client)
    client.spin(0.5)
    before = client.diagnostic("input")[2]
    begin = client.stamp + PERIOD_NS
    client.stereo.clear()
    for k in range(40 + lag):
        if k < 40:
            eye(client, 0, begin + k * PERIOD_NS)
        if k >= lag:
            eye(client, 1, begin + (k - lag) * PERIOD_NS)
        client.spin(0.02)
    client.stamp = begin + 40 * PERIOD_NS
    client.until(lambda: len(client.stereo) >= 40, "all pairs")
    after = client.diagnostic("input")[2]
    for side in ("unpaired left", "unpaired right"):
        assert after[side] == before[side]


def test_a_recording_that_loops_is_one_restart_and_loses_no_pair(client):
    healthy(client)
    client.spin(0.5)
    before = int(client.diagnostic("matching")[2].get("reset: time", 0))
    client.stereo.clear()
    client.correspondences.clear()
    begin = client.stamp + 100 * PERIOD_NS
    for _ in range(3):
        for k in range(6):
            for side in (k % 2, 1 - k % 2):
                eye(client, side, begin + k * PERIOD_NS)
            client.spin(0.04)
    client.until(
        lambda: len(client.stereo) >= 18 and len(client.correspondences) >= 16, "all pairs"
    )
    stamps = [stamp_ns(message.header.stamp) for message in client.correspondences]
    turn = [begin + k * PERIOD_NS for k in range(6)]
    assert stamps == [*turn, *turn[1:], *turn[1:]]
    assert int(client.diagnostic("matching")[2]["reset: time"]) == before + 2
