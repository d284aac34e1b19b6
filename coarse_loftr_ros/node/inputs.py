"""What the node hears: images of one camera or two, their calibration, and a mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from coarse_loftr_ros.node.conversion import stamp_ns
from coarse_loftr_ros.node.subscribing import SubscriptionEventCallbacks, subscribe

__all__ = ["Arrival", "InputSettings", "Inputs"]


@dataclass(frozen=True)
class InputSettings:
    """How to subscribe.

    Attributes:
        stereo: two cameras instead of one.
        compressed: subscribe to ``<image>/compressed``.
        reliable: ask publishers for reliability.
        depth: messages that may wait in the middleware.
        use_mask: subscribe to ``mask``.
    """

    stereo: bool
    compressed: bool
    reliable: bool
    depth: int
    use_mask: bool

    @property
    def sides(self) -> tuple[str, ...]:
        """Prefixes of the topics, the reference's first."""
        return ("left/", "right/") if self.stereo else ("",)


@dataclass(frozen=True, eq=False)
class Arrival:
    """An image message as it came, with what was known then.

    Attributes:
        side: index of the camera, 0 for the left or only one.
        message: not decoded yet.
        stamp: of its header, integer nanoseconds.
        received: ``perf_counter`` time, seconds.
        camera_info: the latest of this camera.
        mask: the latest mask.
    """

    side: int
    message: Image | CompressedImage
    stamp: int
    received: float
    camera_info: CameraInfo | None
    mask: Image | None


class Inputs:
    """The subscriptions of an active node.

    Args:
        node: that subscribes.
        settings: how.
        on_image: called on the executor with each image.
        on_lost: called with the number of images that the middleware lost.
    """

    def __init__(
        self,
        node: Node,
        settings: InputSettings,
        on_image: Callable[[Arrival], None],
        on_lost: Callable[[int], None],
    ) -> None:
        self._node = node
        self._settings = settings
        self._on_image = on_image
        self._camera_info: dict[int, CameraInfo] = {}
        self._mask: Image | None = None
        self._type = CompressedImage if settings.compressed else Image
        reliability = (
            ReliabilityPolicy.RELIABLE if settings.reliable else ReliabilityPolicy.BEST_EFFORT
        )
        images = QoSProfile(
            depth=settings.depth, history=HistoryPolicy.KEEP_LAST, reliability=reliability
        )
        sensor = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._images = []
        self._others = []
        for side, prefix in enumerate(settings.sides):
            topic = node.resolve_topic_name(prefix + "image")
            source = topic + "/compressed" if settings.compressed else topic
            take = self._image_callback(side)
            self._images.append(subscribe(node, self._type, source, take, images, on_lost))
            # The calibration of /camera/image_raw is /camera/camera_info, as with image_transport.
            info_topic = topic.rsplit("/", 1)[0] + "/camera_info"
            self._others.append(
                node.create_subscription(
                    CameraInfo, info_topic, self._camera_info_callback(side), sensor
                )
            )
        if settings.use_mask:
            # A mask may be sent once by a latched publisher or with every image by an ordinary
            # one; a subscription that receives from both kinds does not get the former's past.
            latched = QoSProfile(
                depth=1,
                reliability=ReliabilityPolicy.RELIABLE,
                durability=DurabilityPolicy.TRANSIENT_LOCAL,
            )
            quiet = SubscriptionEventCallbacks(incompatible_qos=lambda event: None)
            for qos in (latched, sensor):
                self._others.append(
                    node.create_subscription(
                        Image, "mask", self._take_mask, qos, event_callbacks=quiet
                    )
                )

    @property
    def topics(self) -> Sequence[str]:
        """Full names of the image topics."""
        return [subscription.topic_name for subscription in self._images]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in (*self._images, *self._others):
            self._node.destroy_subscription(subscription)
        self._images.clear()
        self._others.clear()

    def why_silent(self, sides: Sequence[int]) -> str:
        """Why no image may be arriving from these cameras, from what the ROS graph shows."""
        silent = [self.topics[side] for side in sides]
        reasons = [reason for topic in silent if (reason := self._why_silent(topic))]
        return "; ".join(reasons) or f"the publishers of {', '.join(silent)} are silent"

    def _why_silent(self, topic: str) -> str:
        wanted = "sensor_msgs/msg/" + self._type.__name__
        publishers = self._node.get_publishers_info_by_topic(topic)
        if not publishers:
            others = sorted(
                name
                for name, types in self._node.get_topic_names_and_types()
                if wanted in types and name not in self.topics and self._others_publish(name)
            )
            hint = f" (there are images on {', '.join(others[:5])})" if others else ""
            return f"{topic} has no publisher{hint}"
        types = {publisher.topic_type for publisher in publishers}
        if wanted not in types:
            return f"{topic} is published as {', '.join(sorted(types))}, not as {wanted}"
        reliabilities = {publisher.qos_profile.reliability for publisher in publishers}
        if self._settings.reliable and ReliabilityPolicy.RELIABLE not in reliabilities:
            return (
                f"the publisher of {topic} offers best_effort only; set image_reliability to "
                "best_effort"
            )
        return ""

    def _others_publish(self, topic: str) -> bool:
        publishers = self._node.get_publishers_info_by_topic(topic)
        return any(publisher.node_name != self._node.get_name() for publisher in publishers)

    def _image_callback(self, side: int) -> Callable[[Image | CompressedImage], None]:
        def take(message: Image | CompressedImage) -> None:
            now = perf_counter()
            self._on_image(
                Arrival(
                    side,
                    message,
                    stamp_ns(message.header.stamp),
                    now,
                    self._camera_info.get(side),
                    self._mask,
                )
            )

        return take

    def _camera_info_callback(self, side: int) -> Callable[[CameraInfo], None]:
        def take(message: CameraInfo) -> None:
            self._camera_info[side] = message

        return take

    def _take_mask(self, message: Image) -> None:
        self._mask = message
