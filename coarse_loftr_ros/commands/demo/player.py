"""Plays recorded images over DDS and collects the node's answers: the one tool that needs rclpy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import rclpy
from lifecycle_msgs.srv import GetState
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from coarse_loftr_msgs.msg import Correspondences, HomographyStamped
from coarse_loftr_ros.commands.common.errors import UserError
from coarse_loftr_ros.recordings.bags.reader import RecordedMessage

__all__ = ["Answers", "Player"]


@dataclass
class Answers:
    """What was sent and what came back; all keys are stamps of current images, nanoseconds.

    Attributes:
        sent: when each image was published, seconds of ``time.perf_counter``.
        received: when its correspondences arrived, on the same clock.
        correspondences: the messages.
        homographies: the messages.
    """

    sent: dict[int, float] = field(default_factory=dict)
    received: dict[int, float] = field(default_factory=dict)
    correspondences: dict[int, Any] = field(default_factory=dict)
    homographies: dict[int, Any] = field(default_factory=dict)


class Player:
    """A ROS node that publishes images and listens to a matcher; a context manager.

    Args:
        domain: ROS domain of its own.
        compressed: whether ``sensor_msgs/CompressedImage`` is published.
        matcher: name of the matcher node.
    """

    def __init__(self, domain: int, compressed: bool, matcher: str = "matcher") -> None:
        self.answers = Answers()
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = Node("demo_player", context=self._context)
        reliable = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
        kind, topic = (CompressedImage, "image/compressed") if compressed else (Image, "image")
        # Only the latest are kept, so nothing here waits for the node.
        self._publisher = self._node.create_publisher(kind, topic, reliable)
        self._subscriptions = [
            self._node.create_subscription(
                Correspondences, f"{matcher}/correspondences", self._on_correspondences, reliable
            ),
            self._node.create_subscription(
                HomographyStamped, f"{matcher}/homography", self._on_homography, reliable
            ),
        ]
        self._state = self._node.create_client(GetState, f"{matcher}/get_state")
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)

    def __enter__(self) -> Player:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._executor.shutdown()
        self._thread.join(5.0)
        self._node.destroy_node()
        self._context.try_shutdown()

    def wait_for_matcher(self, timeout_s: float, check: Callable[[], None]) -> None:
        """Wait until the matcher listens to the images and its topics are there.

        Args:
            timeout_s: patience.
            check: called again and again; raises when waiting has become pointless.

        Raises:
            UserError: when the matcher does not come.
        """
        deadline = time.monotonic() + timeout_s
        while not self._connected():
            check()
            if time.monotonic() > deadline:
                raise UserError(f"the node did not offer its topics within {timeout_s:.0f} s")
            time.sleep(0.05)
        # Its side of the connections comes up after ours, and what is sent before is lost. They are
        # announced in order: a call that is answered proves that those made before it are there.
        while not self._answers_a_call(0.5):
            check()
            if time.monotonic() > deadline:
                raise UserError(f"the node answered no call within {timeout_s:.0f} s")

    def play(self, messages: Iterable[RecordedMessage], check: Callable[[], None]) -> None:
        """Publish messages in the time in which they were recorded.

        Args:
            messages: as recorded; they are published as they are.
            check: called again and again; raises when playing has become pointless.
        """
        start = first = None
        for message in messages:
            now = time.perf_counter()
            if start is None:
                start, first = now, message.recorded
            wait = start + (message.recorded - first) / 1e9 - now
            if wait > 0:
                time.sleep(wait)
            check()
            self.answers.sent[message.stamp] = time.perf_counter()
            self._publisher.publish(message.raw)

    def wait_for_answers(self, quiet_s: float, timeout_s: float) -> None:
        """Wait until nothing more comes for ``quiet_s``, or everything is there."""
        deadline = time.monotonic() + timeout_s
        count, since = -1, time.monotonic()
        while time.monotonic() < min(deadline, since + quiet_s):
            if len(self.answers.homographies) != count:
                count, since = len(self.answers.homographies), time.monotonic()
            if count >= len(self.answers.sent) - 1 <= len(self.answers.correspondences):
                return
            time.sleep(0.02)

    def _answers_a_call(self, seconds: float) -> bool:
        """Whether the node answers in time; a call may be sent too early as well."""
        future = self._state.call_async(GetState.Request())
        deadline = time.monotonic() + seconds
        while not future.done() and time.monotonic() < deadline:
            time.sleep(0.01)
        return future.done()

    def _connected(self) -> bool:
        return (
            self._publisher.get_subscription_count() > 0
            and self._state.service_is_ready()
            and all(
                self._node.count_publishers(subscription.topic_name) > 0
                for subscription in self._subscriptions
            )
        )

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    def _on_correspondences(self, message: Correspondences) -> None:
        now = time.perf_counter()
        stamp = _nanoseconds(message.header.stamp)
        self.answers.received[stamp] = now
        self.answers.correspondences[stamp] = message

    def _on_homography(self, message: HomographyStamped) -> None:
        self.answers.homographies[_nanoseconds(message.header.stamp)] = message


def _nanoseconds(stamp: Any) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec
