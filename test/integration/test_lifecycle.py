"""Starting, stopping, and everything that a node refuses."""

from __future__ import annotations

import signal
import time

import pytest
from lifecycle_msgs.msg import Transition
from ros_harness import MatcherClient, NodeProcess, scene, view

PICTURE = scene()


@pytest.fixture(scope="module")
def client(start) -> MatcherClient:
    return start(
        "/managed",
        "autostart:=false",
        "freshness:=all",
        "diagnostics_period:=0.2",
        active=False,
    )[1]


def matches(client: MatcherClient) -> bool:
    """Whether two images are answered."""
    client.connect()
    client.send(client.message(view(PICTURE, 0, 0)))
    _, homography = client.match(client.message(view(PICTURE, 4, 0)))
    return homography.status != homography.LOST


def test_without_autostart_the_node_waits(client):
    assert client.state() == "unconfigured"
    assert client.diagnostic("matching")[1] == "not active (unconfigured)"
    assert client.node.count_publishers("matcher/correspondences") == 0


def test_configure_and_activate_open_the_topics(client):
    assert client.transition(Transition.TRANSITION_CONFIGURE)
    assert client.state() == "inactive"
    assert client.diagnostic("matching")[1] == "not active (inactive)"
    assert client.transition(Transition.TRANSITION_ACTIVATE)
    assert matches(client)


def test_deactivate_closes_them(client):
    assert client.transition(Transition.TRANSITION_DEACTIVATE)
    client.until(
        lambda: (
            client.node.count_publishers("matcher/correspondences") == 0
            and client.images[0].get_subscription_count() == 0
        ),
        "the topics to close",
    )
    before = len(client.correspondences)
    for x in range(3):
        client.send(client.message(view(PICTURE, x, 0)))
    client.spin(0.5)
    assert len(client.correspondences) == before


def test_parameters_set_while_inactive_hold_when_active(client):
    assert client.set_parameter("max_matches", 20).successful
    assert client.transition(Transition.TRANSITION_ACTIVATE)
    assert matches(client)
    assert len(client.correspondences[-1].confidence) <= 20
    assert client.set_parameter("max_matches", 1000).successful
    assert client.transition(Transition.TRANSITION_DEACTIVATE)


def test_a_node_that_was_cleaned_up_starts_again(client):
    assert client.transition(Transition.TRANSITION_CLEANUP)
    assert client.state() == "unconfigured"
    assert client.transition(Transition.TRANSITION_CONFIGURE)
    assert client.transition(Transition.TRANSITION_ACTIVATE)
    assert matches(client)


def test_shutdown_of_an_active_node_ends_its_topics(client):
    assert client.transition(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert client.state() == "finalized"
    assert client.diagnostic("matching")[1] == "not active (finalized)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_soon_and_well(start, number):
    node, client = start(f"/ended_{number.name.lower()}", "freshness:=all")
    for x in range(10):
        client.send(client.message(view(PICTURE, x, 0)))
    begin = time.monotonic()
    assert node.stop(number) == 0
    assert time.monotonic() - begin < 5
    assert "Traceback" not in node.output


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ("mode:=three", "parameter 'mode' is 'three'; allowed are mono, stereo"),
        ("threads:=900", "parameter 'threads' is 900; allowed is 0 to 256"),
        ("threads:=two", "parameter 'threads' is 'two'; it must be a whole number: 0 to 256"),
        ("overlay.max_rate:=10", "'overlay.max_rate' is 10; it must be a number with a decimal"),
        ("model:=/no/such/folder", "model: '/no/such/folder' is neither a model of the package"),
        ("backend:=tensorrt", "backend 'tensorrt' is not available"),
    ],
)
def test_bad_parameters_are_refused_at_start_in_words(parameter, sentence):
    node = NodeProcess("/refused", parameter)
    assert node.wait() == 1
    assert sentence in node.output
    assert "Traceback" not in node.output


def test_misspelt_parameters_are_pointed_out():
    node = NodeProcess("/misspelt", "confidence_treshold:=0.3", "autostart:=false")
    try:
        node.wait_for_output(
            "parameter 'confidence_treshold' is not known and has no effect; did you mean "
            "'confidence_threshold'?"
        )
    finally:
        assert node.stop() == 0
