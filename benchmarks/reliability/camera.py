"""A camera for soak.py: what it sees, sends and may suffer, and the client of the nodes."""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import cv2
import numpy as np
from common.views import circling_views
from nav_msgs.msg import Odometry, Path
from numpy.typing import NDArray
from ros_harness import RELIABLE, Client, MatcherClient, NodeProcess, camera_info
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from coarse_loftr_msgs.msg import HomographyStamped, RelativePose
from coarse_loftr_ros.node.common.conversion import stamp_ns
from reliability.answers import Ledger, not_finite
from reliability.vital_signs import VitalSigns

__all__ = ["Sending", "SoakCamera"]

FOCAL, BASELINE, DISPARITY = 300.0, 0.1, 10
PATIENCE_S = 15.0
_FRAMES = 90


@dataclass(frozen=True)
class Sending:
    """How images leave the camera.

    Attributes:
        picture: what becomes of each image, uint8 [H, W].
        enabled: whether the left and the right camera send at all.
        swapped: left is sent as right.
        lag: images by which the right one is sent late.
        info: what becomes of each camera_info.
        frame_id: of the images.
    """

    picture: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda image: image
    enabled: tuple[bool, bool] = (True, True)
    swapped: bool = False
    lag: int = 0
    info: Callable[[CameraInfo], CameraInfo] = lambda info: info
    frame_id: str = "camera"


class SoakCamera:
    """Sends images of a wall that it circles before, and receives what the nodes publish.

    Args:
        options: of soak.py.
        matcher: that gets the images.
        odometry: that subscribes to the matcher; ``None`` without.
    """

    def __init__(
        self, options: argparse.Namespace, matcher: NodeProcess, odometry: NodeProcess | None
    ) -> None:
        self.stereo = options.mode == "stereo"
        self.processes = [matcher] if odometry is None else [matcher, odometry]
        self.client = MatcherClient(matcher, self.stereo)
        self.odometry_client = None if odometry is None else Client(odometry)
        self.sending = Sending()
        self.sent: set[int] = set()
        self.answered: set[int] = set()
        self.good: set[int] = set()
        self.faults: list[str] = []
        self.vital_signs = [VitalSigns(process.process.pid) for process in self.processes]
        self.ledgers = [Ledger(f"{p.namespace}/{p.name}") for p in self.processes]
        self._options = options
        self._stamp = time.time_ns()
        self._number = 0
        self._late: deque[tuple[CameraInfo, Image]] = deque()
        self._scene = self._render()
        self._due = time.monotonic()
        self.answers: list[list] = [
            self.client.correspondences, self.client.stereo, self.client.homographies, [], [], [],
        ]  # fmt: skip
        if odometry is not None:
            for kind, topic, into in zip(
                (Odometry, RelativePose, Path),
                ("odometry/odometry", "odometry/relative_pose", "odometry/path"),
                self.answers[3:],
                strict=True,
            ):
                self.client.collect(kind, topic, into)
        self._publishers: list = []
        self.publish_anew()

    def close(self) -> None:
        """Leave ROS."""
        self.client.close()
        if self.odometry_client is not None:
            self.odometry_client.close()

    def publish_anew(self) -> None:
        """As a driver that was started again."""
        node = self.client.node
        for publisher in self._publishers:
            node.destroy_publisher(publisher)
        kind, suffix = Image, ""
        if self._options.compressed:
            kind, suffix = CompressedImage, "/compressed"
        sides = ("left/", "right/") if self.stereo else ("",)
        self._publishers = [
            node.create_publisher(kind, f"{side}image{suffix}", RELIABLE) for side in sides
        ]
        self._infos = self.client.camera_info

    def connect(self) -> None:
        """Wait until all know each other."""
        for process, ready in zip(self.processes, ("matching ", " odometry of "), strict=False):
            process.wait_for_output(ready)
        self.client.until(
            lambda: (
                all(publisher.get_subscription_count() for publisher in self._publishers)
                and all(
                    self.client.node.count_publishers(f"{process.name}/{topic}")
                    for process, topic in zip(
                        self.processes, ("homography", "odometry"), strict=False
                    )
                )
            ),
            "the nodes' topics",
        )
        for process in self.processes:
            self.client.settle(process.name)

    def call(self, node: str) -> Client:
        """The client that asks services of a node."""
        return self.client if node == "matcher" else self.odometry_client

    # --- sending --------------------------------------------------------------------------------

    @contextmanager
    def changed(self, **changes: object) -> Iterator[None]:
        """Send in another way within a block."""
        before, self.sending = self.sending, replace(self.sending, **changes)
        try:
            yield
        finally:
            self.sending = before
            self._late.clear()

    def jump(self, seconds: float) -> None:
        """Let the clock of the stamps jump."""
        self._stamp += round(seconds * 1e9)

    def stream(self, seconds: float, calm: str = "") -> None:
        """Send at the rate for this long; a calm, named, is looked at for growth."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._send()
            self._due = max(self._due + 1 / self._options.rate, time.monotonic() - 0.2)
            while (left := self._due - time.monotonic()) > 0:
                self.client.executor.spin_once(left)
            self.look(calm)

    def recover(self, what: str) -> float:
        """Send until an image is answered well; how long that took.

        Args:
            what: went before, for the fault where nothing comes.
        """
        begin = time.monotonic()
        self.good.clear()
        first = self._stamp
        while not any(stamp > first for stamp in self.good):
            self.stream(1 / self._options.rate)
            if time.monotonic() - begin > PATIENCE_S:
                self.faults.append(f"no good answer for {PATIENCE_S:g} s after {what}")
                break
        return time.monotonic() - begin

    def look(self, calm: str) -> None:
        """Take all that came, and notice what must not be."""
        for process in self.processes:
            assert process.running, f"{process.name} ended with {process.process.returncode}"
        for messages in self.answers:
            for message in messages:
                self._take(message)
            messages.clear()
        for message in self.client.diagnostics:
            for ledger in self.ledgers:
                ledger.read(message)
        self.client.diagnostics.clear()
        if calm:
            for signs in self.vital_signs:
                signs.look(calm)

    def _take(self, message: object) -> None:
        for name in not_finite(message):
            self.faults.append(f"{type(message).__name__}.{name} is not finite")
        last = RelativePose if len(self.processes) > 1 else HomographyStamped
        if isinstance(message, last):
            stamp = stamp_ns(message.header.stamp)
            self.answered.add(stamp)
            if message.status == last.OK:
                self.good.add(stamp)

    def _send(self) -> None:
        sending, options = self.sending, self._options
        self._stamp += round(1e9 / options.rate)
        self._number += 1
        self.sent.add(self._stamp)
        wide = self._scene[self._number % _FRAMES]
        views = [wide[:, :-DISPARITY], wide[:, DISPARITY:]] if self.stereo else [wide]
        if sending.swapped:
            views.reverse()
        for side, shown in enumerate(views):
            image = np.ascontiguousarray(sending.picture(shown))
            message = self.client.message(image, sending.frame_id)
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(self._stamp, 10**9)
            height, width = image.shape
            info = camera_info(
                width, height, FOCAL * width / options.width, BASELINE * side,
                (-0.02, 0.001, 0.0, 0.0, 0.0) if options.rectify else (0.0,) * 5,
            )  # fmt: skip
            info.header = message.header
            if not sending.enabled[side]:
                continue
            if side == 1 and sending.lag:
                self._late.append((sending.info(info), message))
                if len(self._late) > sending.lag:
                    self._publish(side, *self._late.popleft())
            else:
                self._publish(side, sending.info(info), message)

    def _publish(self, side: int, info: CameraInfo, message: Image) -> None:
        self._infos[side].publish(info)
        if self._options.compressed:
            pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width)
            packed = CompressedImage(header=message.header, format="mono8; jpeg compressed mono8")
            packed.data = cv2.imencode(".jpg", pixels)[1].tobytes()
            message = packed
        self._publishers[side].publish(message)

    def _render(self) -> list[NDArray[np.uint8]]:
        options = self._options
        width = options.width + (DISPARITY if self.stereo else 0)
        return circling_views(width, options.height, _FRAMES)
