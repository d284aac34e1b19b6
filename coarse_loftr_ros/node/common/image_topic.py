"""A topic of images, raw or compressed, and why nothing may be coming from it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from coarse_loftr_ros.node.common.subscribing import subscribe

__all__ = ["ImageTopic"]


class ImageTopic:
    """A subscription to images.

    Args:
        node: that subscribes.
        topic: full name of the images.
        compressed: subscribe to ``<topic>/compressed``.
        reliable: ask publishers for reliability.
        depth: messages that may wait in the middleware.
        take: called on the executor with each image.
        on_lost: called with the number of images that the middleware lost.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        *,
        compressed: bool,
        reliable: bool,
        depth: int,
        take: Callable[[Image | CompressedImage], None],
        on_lost: Callable[[int], None],
    ) -> None:
        self._node = node
        self._reliable = reliable
        self._type = CompressedImage if compressed else Image
        policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=policy)
        source = topic + "/compressed" if compressed else topic
        self._subscription = subscribe(node, self._type, source, take, qos, on_lost)
        self.name: str = self._subscription.topic_name

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def why_silent(self, ours: Collection[str] = ()) -> str:
        """Why no image may be arriving, from what the ROS graph shows; empty when nothing does.

        Args:
            ours: topics of images that the node subscribes beside this one.
        """
        wanted = "sensor_msgs/msg/" + self._type.__name__
        publishers = self._node.get_publishers_info_by_topic(self.name)
        if not publishers:
            others = sorted(
                name
                for name, types in self._node.get_topic_names_and_types()
                if wanted in types and name not in {self.name, *ours} and self._is_published(name)
            )
            hint = f" (there are images on {', '.join(others[:5])})" if others else ""
            return f"{self.name} has no publisher{hint}"
        types = {publisher.topic_type for publisher in publishers}
        if wanted not in types:
            return f"{self.name} is published as {', '.join(sorted(types))}, not as {wanted}"
        reliabilities = {publisher.qos_profile.reliability for publisher in publishers}
        if self._reliable and ReliabilityPolicy.RELIABLE not in reliabilities:
            return (
                f"the publisher of {self.name} offers best_effort only; set image_reliability to "
                "best_effort"
            )
        return ""

    def _is_published(self, topic: str) -> bool:
        """By another node than this one."""
        publishers = self._node.get_publishers_info_by_topic(topic)
        return any(publisher.node_name != self._node.get_name() for publisher in publishers)
