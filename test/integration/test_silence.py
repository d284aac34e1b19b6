"""A node that hears nothing says why."""

from __future__ import annotations

import pytest
from rclpy.qos import qos_profile_sensor_data
from ros_harness import MatcherClient
from sensor_msgs.msg import CompressedImage, Image


@pytest.fixture(scope="module")
def client(start) -> MatcherClient:
    client = start(
        "/silence",
        "image_reliability:=reliable",
        "image_timeout:=0.3",
        "diagnostics_period:=0.2",
    )[1]
    for publisher in client.images:
        client.node.destroy_publisher(publisher)
    return client


def why(client: MatcherClient, wanted: str) -> None:
    """Wait for a warning that names the topic and holds these words."""
    seen = []

    def found() -> bool:
        level, message, _ = client.diagnostic("input")
        seen.append(message)
        return level == 1 and wanted in message

    try:
        client.until(found, "a reason")
    except AssertionError:
        raise AssertionError(f"{wanted!r} was never said, but {set(seen)}") from None


def test_no_publisher(client):
    why(client, "/silence/image has no publisher")


def test_images_on_another_topic_are_pointed_out(client):
    other = client.node.create_publisher(Image, "camera/image_raw", 10)
    why(client, "/silence/image has no publisher (there are images on ")
    client.node.destroy_publisher(other)


def test_another_type(client):
    other = client.node.create_publisher(CompressedImage, "image", 10)
    why(client, "is published as sensor_msgs/msg/CompressedImage, not as sensor_msgs/msg/Image")
    client.node.destroy_publisher(other)


def test_incompatible_reliability(client):
    other = client.node.create_publisher(Image, "image", qos_profile_sensor_data)
    why(client, "offers best_effort only; set image_reliability to best_effort")
    client.node.destroy_publisher(other)


def test_a_publisher_that_sends_nothing(client):
    other = client.node.create_publisher(Image, "image", 10)
    why(client, "the publishers of /silence/image are silent")
    client.node.destroy_publisher(other)
