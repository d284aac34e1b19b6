"""More images than can be matched, and simulated time."""

from __future__ import annotations

import pytest
from ros_harness import MatcherClient, scene, view
from rosgraph_msgs.msg import Clock

from coarse_loftr_ros.node.common.conversion import stamp_ns, time_message

PICTURE = scene()


@pytest.fixture(scope="module")
def client(start) -> MatcherClient:
    return start(
        "/latest",
        "use_sim_time:=true",
        "diagnostics_period:=0.2",
        "queue_depth:=100",
        "image_reliability:=reliable",
    )[1]


def test_the_newest_image_wins_and_the_others_are_counted(client):
    before = int(client.diagnostic("input")[2]["skipped"])
    for burst in range(3):
        messages = [client.message(view(PICTURE, i % 20, burst)) for i in range(60)]
        for message in messages:
            client.send(message)
        client.result(messages[-1].header.stamp)
    _, _, values = client.diagnostic("input")
    _, _, matched = client.diagnostic("matching")
    skipped = int(values["skipped"]) - before
    assert skipped > 0
    used = int(matched["matched"]) + int(matched["first references"])
    assert int(values["received"]) == used + skipped
    stamps = [stamp_ns(m.header.stamp) for m in client.correspondences]
    assert stamps == sorted(stamps)


def test_services_answer_while_images_pour_in(client):
    for i in range(60):
        client.send(client.message(view(PICTURE, i % 20, 0)))
    assert client.trigger("reset").success
    assert client.state() == "active"


def test_simulated_time_is_the_time_of_diagnostics(client):
    clock = client.node.create_publisher(Clock, "/clock", 10)
    client.until(clock.get_subscription_count, "the node to listen to /clock")
    now = time_message(1234_500_000_000)

    def seen() -> bool:
        clock.publish(Clock(clock=now))
        return any(message.header.stamp == now for message in client.diagnostics)

    client.until(seen, "diagnostics at the simulated time")
