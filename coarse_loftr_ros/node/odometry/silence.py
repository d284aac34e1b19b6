"""Why no correspondences arrive, as far as the ROS graph shows it."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo

__all__ = ["why_silent"]

_MATCHES = "coarse_loftr_msgs/msg/Correspondences"
_IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


def why_silent(node: Node, topics: Sequence[str]) -> str:
    """Why no matches may be arriving, in words.

    Args:
        node: that subscribes.
        topics: full names of those that are silent.
    """
    # Topics of one matcher are silent for one reason.
    return "; ".join(dict.fromkeys(_why_silent(node, topic) for topic in topics))


def _why_silent(node: Node, topic: str) -> str:
    publishers = node.get_publishers_info_by_topic(topic)
    if not publishers:
        return f"{topic} has no publisher: {_who_could(node, topic)}"
    kinds = {publisher.topic_type for publisher in publishers}
    if _MATCHES not in kinds:
        return f"{topic} is published as {', '.join(sorted(kinds))}, not as {_MATCHES}"
    who = ", ".join(sorted({_name(publisher) for publisher in publishers}))
    unpublished = [image for publisher in publishers for image in _unpublished(node, publisher)]
    if unpublished:
        have = "has" if len(unpublished) == 1 else "have"
        return f"{who} is active but silent: {', '.join(unpublished)} {have} no publisher"
    return f"{who} is active but silent though its images have publishers: see its diagnostics"


def _who_could(node: Node, topic: str) -> str:
    """What is known of the matcher that should publish a topic, and of others."""
    published = sorted(
        name
        for name, kinds in node.get_topic_names_and_types()
        if _MATCHES in kinds and node.count_publishers(name)
    )
    known = {
        f"{namespace.rstrip('/')}/{name}"
        for name, namespace in node.get_node_names_and_namespaces()
    }
    matcher = next((name for name in known if topic.startswith(name + "/")), None)
    if matcher is None:
        hint = f" (there are correspondences on {', '.join(published[:5])})" if published else ""
        return f"no matcher runs there{hint}"
    if any(name.startswith(matcher + "/") for name in published):
        return f"{matcher} is active without it: is its mode stereo?"
    return f"{matcher} runs, but is not active"


def _unpublished(node: Node, publisher: TopicEndpointInfo) -> list[str]:
    """Image topics that the node of a publisher subscribes to and nobody publishes."""
    try:
        subscribed = node.get_subscriber_names_and_types_by_node(
            publisher.node_name, publisher.node_namespace
        )
    except RuntimeError:  # it has gone since
        return []
    return sorted(
        topic
        for topic, kinds in subscribed
        if any(kind in kinds for kind in _IMAGES) and not node.count_publishers(topic)
    )


def _name(publisher: TopicEndpointInfo) -> str:
    return f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
