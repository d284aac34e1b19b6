"""An odometry node from which nothing comes says what is known of the reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import SMALL, ending_well
from lifecycle_msgs.msg import Transition
from odometry_harness import OdometryClient
from ros_harness import Client, NodeProcess

from coarse_loftr_msgs.msg import Correspondences
from coarse_loftr_ros.cameras.pose import Pose


@pytest.fixture(scope="module")
def client(start_odometry) -> OdometryClient:
    """Of a stereo odometry that hears no matches."""
    client = start_odometry(
        "/hush", "mode:=stereo", "input_timeout:=0.3", "diagnostics_period:=0.2", "stereo_wait:=0.0"
    )
    for publisher in (client.temporal, client.stereo_publisher):
        client.node.destroy_publisher(publisher)
    return client


@pytest.fixture(scope="module")
def matcher(client) -> Iterator[Client]:
    """A matcher of one camera in the same namespace, which is not configured."""
    with ending_well() as pairs:
        node = NodeProcess("/hush", *SMALL, "autostart:=false")
        pairs.append((node, Client(node)))
        pairs[0][1].settle()
        yield pairs[0][1]


def why(client: OdometryClient, name: str, *words: str) -> None:
    """Wait until a status is no more OK and holds all of these words."""
    seen = []

    def found() -> bool:
        level, message, _ = client.diagnostic(name)
        seen.append(message)
        return level > 0 and all(word in message for word in words)

    try:
        client.until(found, "a reason")
    except AssertionError:
        raise AssertionError(f"{words} were never said, but {set(seen)}") from None


def test_without_a_matcher_that_is_said(client):
    why(
        client,
        "input",
        "/hush/matcher/correspondences has no publisher: no matcher runs there",
        "/hush/matcher/stereo/correspondences has no publisher",
    )
    why(client, "odometry", "no message comes, nothing was published for")


def test_a_matcher_that_is_not_active_is_named(client, matcher):
    why(client, "input", "/hush/matcher runs, but is not active")


def test_a_matcher_without_images_and_of_another_mode_is_seen_through(client, matcher):
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert matcher.transition(transition)
    why(
        client,
        "input",
        "/hush/matcher is active but silent: /hush/image has no publisher",
        "stereo/correspondences has no publisher: /hush/matcher is active without it: is its "
        "mode stereo?",
    )


def test_matches_that_come_and_are_refused_are_counted_with_their_cause(client):
    """Without camera_info nothing can be made of them; and there are none of left with right."""
    client.temporal = client.node.create_publisher(Correspondences, "matcher/correspondences", 10)
    client.until(client.temporal.get_subscription_count, "the node to listen")
    still = Pose.identity()

    def refused() -> bool:
        client.temporal.publish(client.temporal_message((0, still), (1, still)))
        level, message = client.latest("odometry")
        return level == 2 and "rejected (camera_info)" in message and "messages come" in message

    client.until(refused, "an error that names camera_info")
