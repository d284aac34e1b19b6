"""What the matcher receives: images of one camera or two, their calibration, and a mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from coarse_loftr_ros.cameras.calibration import Calibration, check_projection
from coarse_loftr_ros.cameras.camera_info import LatestCamera, describe
from coarse_loftr_ros.cameras.rectification import Rectification
from coarse_loftr_ros.node.common.conversion import stamp_ns
from coarse_loftr_ros.node.common.image_topic import ImageTopic
from coarse_loftr_ros.node.common.subscribing import subscribe_to_latest

__all__ = ["Images", "InputSettings", "Inputs", "ReceivedImage"]


@dataclass(frozen=True)
class InputSettings:
    """How to subscribe.

    Attributes:
        stereo: two cameras instead of one.
        compressed: subscribe to ``<image>/compressed``.
        reliable: ask publishers for reliability.
        depth: messages that may wait in the middleware.
        use_mask: subscribe to ``mask``.
        rectify: use only camera_info that says how to rectify.
    """

    stereo: bool
    compressed: bool
    reliable: bool
    depth: int
    use_mask: bool
    rectify: bool

    @property
    def sides(self) -> tuple[str, ...]:
        """Prefixes of the topics, the reference's first."""
        return ("left/", "right/") if self.stereo else ("",)


@dataclass(frozen=True, eq=False)
class ReceivedImage:
    """An image message as it was received, with what was known then.

    Attributes:
        side: index of the camera, 0 for the left or only one.
        message: not decoded yet.
        stamp: of its header, integer nanoseconds.
        received_s: ``perf_counter`` time, seconds.
        camera: by the latest camera_info that can be used, ``None`` before there was one.
        mask: its own, or one of every image; ``None`` where there is none, or before it came.
    """

    side: int
    message: Image | CompressedImage
    stamp: int
    received_s: float
    camera: Calibration | None
    mask: Image | None


Images = tuple[ReceivedImage, ...]
"""One image, or the two of a stereo pair, left first."""


class Inputs:
    """The subscriptions of an active node.

    Args:
        node: that subscribes.
        settings: how.
        on_image: called on the executor with each image.
        on_mask: called on the executor with each mask.
        on_lost: called with the number of images that the middleware lost.
        reject: called with a cause and a sentence when a camera_info is not used.
        inform: called with a cause and a sentence when a camera is another one than before.
    """

    def __init__(
        self,
        node: Node,
        settings: InputSettings,
        on_image: Callable[[ReceivedImage], None],
        on_mask: Callable[[Image], None],
        on_lost: Callable[[int], None],
        reject: Callable[[str, str], None],
        inform: Callable[[str, str], None],
    ) -> None:
        self._node = node
        self._rectify = settings.rectify
        self._on_image = on_image
        self._reject = reject
        self._inform = inform
        check = Rectification if settings.rectify else check_projection
        self._cameras = [LatestCamera(check) for _ in settings.sides]
        self._images: list[ImageTopic] = []
        self._others = []
        for side, prefix in enumerate(settings.sides):
            topic = node.resolve_topic_name(prefix + "image")
            self._images.append(
                ImageTopic(
                    node,
                    topic,
                    compressed=settings.compressed,
                    reliable=settings.reliable,
                    depth=settings.depth,
                    take=self._image_callback(side),
                    on_lost=on_lost,
                )
            )
            # The calibration of /camera/image_raw is /camera/camera_info, as with image_transport.
            info_topic = topic.rsplit("/", 1)[0] + "/camera_info"
            take_info = self._camera_info_callback(self._cameras[side], info_topic)
            self._others += subscribe_to_latest(node, CameraInfo, info_topic, take_info)
        if settings.use_mask:
            self._mask_topic = node.resolve_topic_name("mask")
            self._others += subscribe_to_latest(node, Image, "mask", on_mask, settings.depth)

    @property
    def topics(self) -> Sequence[str]:
        """Full names of the image topics."""
        return [topic.name for topic in self._images]

    def close(self) -> None:
        """Unsubscribe."""
        for topic in self._images:
            topic.close()
        for subscription in self._others:
            self._node.destroy_subscription(subscription)
        self._images.clear()
        self._others.clear()

    def why_silent(self, sides: Sequence[int]) -> str:
        """Why no image may be arriving from these cameras, from what the ROS graph shows."""
        silent = [self._images[side] for side in sides]
        reasons = [reason for topic in silent if (reason := topic.why_silent(self.topics))]
        names = ", ".join(topic.name for topic in silent)
        return "; ".join(reasons) or f"the publishers of {names} are silent"

    def why_no_mask(self) -> str:
        """Why no mask may be arriving, from what the ROS graph shows."""
        if self._node.count_publishers(self._mask_topic):
            return f"{self._mask_topic} is silent; a mask of all images has stamp 0"
        return f"{self._mask_topic} has no publisher"

    def _image_callback(self, side: int) -> Callable[[Image | CompressedImage], None]:
        def take(message: Image | CompressedImage) -> None:
            now = perf_counter()
            self._on_image(
                ReceivedImage(
                    side,
                    message,
                    stamp_ns(message.header.stamp),
                    now,
                    self._cameras[side].calibration,
                    None,
                )
            )

        return take

    def _camera_info_callback(
        self, camera: LatestCamera, topic: str
    ) -> Callable[[CameraInfo], None]:
        def take(message: CameraInfo) -> None:
            before = camera.calibration
            if camera.take(message) and before is not None:
                was, now = describe(before), describe(camera.calibration)
                change = f"from {was} to {now}" if was != now else "in K, the distortion or R"
                self._inform("camera_info", f"{topic} changed {change}")
            # A camera that nobody calibrated sends zeros: only where it has to be, that is a fault.
            if camera.problem and (self._rectify or any(message.p)):
                self._reject("camera_info", f"{topic} left out: {camera.problem}")

        return take
