"""What the matcher publishes: correspondences, the homography and a picture of both."""

from __future__ import annotations

import time

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from coarse_loftr_msgs.msg import Correspondences, HomographyStamped
from coarse_loftr_ros.matching.overlay import draw_overlay
from coarse_loftr_ros.matching.result import MatchResult, StereoMatch
from coarse_loftr_ros.node.common.conversion import (
    compressed_message,
    correspondences_message,
    header_of,
    homography_message,
    image_message,
)

__all__ = ["MatcherOutputs"]


class MatcherOutputs:
    """The publishers of an active node; ``publish`` may be called from any one thread.

    Args:
        node: that publishes.
        stereo: also publish matches of left with right.
        overlay_lines: most matches drawn.
        overlay_rate: most pictures per second.
    """

    def __init__(self, node: Node, stereo: bool, overlay_lines: int, overlay_rate: float) -> None:
        self.overlay_lines = overlay_lines
        self.overlay_rate = overlay_rate
        self._node = node
        self._correspondences = node.create_publisher(Correspondences, "~/correspondences", 10)
        self._homography = node.create_publisher(HomographyStamped, "~/homography", 10)
        self._overlay = node.create_publisher(Image, "~/overlay", 1)
        self._overlay_jpeg = node.create_publisher(CompressedImage, "~/overlay/compressed", 1)
        self._stereo = None
        if stereo:
            self._stereo = node.create_publisher(Correspondences, "~/stereo/correspondences", 10)
        self._last_overlay = -1e9

    def publish(self, result: MatchResult) -> None:
        """Send the numbers of a result."""
        self._correspondences.publish(correspondences_message(result))
        self._homography.publish(homography_message(result))

    def publish_stereo(self, match: StereoMatch) -> None:
        """Send the matches of left with right."""
        self._stereo.publish(correspondences_message(match))

    def publish_overlay(self, result: MatchResult) -> None:
        """Draw and send the picture when someone looks and the rate allows it."""
        now = time.monotonic()
        # A little early is on time: the images' own rate decides, not the remainder.
        if now - self._last_overlay < 0.9 / self.overlay_rate:
            return
        raw, jpeg = (
            publisher.get_subscription_count() > 0
            for publisher in (self._overlay, self._overlay_jpeg)
        )
        if not (raw or jpeg):
            return
        self._last_overlay = now
        picture, header = draw_overlay(result, self.overlay_lines), header_of(result.current)
        if raw:
            self._overlay.publish(image_message(picture, header))
        if jpeg:
            self._overlay_jpeg.publish(compressed_message(picture, header))

    def close(self) -> None:
        """Stop publishing."""
        for publisher in (
            *(self._correspondences, self._homography, self._stereo),
            *(self._overlay, self._overlay_jpeg),
        ):
            if publisher is not None:
                self._node.destroy_publisher(publisher)
