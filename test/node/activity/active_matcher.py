"""An active matcher in this process, with a client that sends images and calls its services.

Images, results, services and the network are real; devices fail and publishers vanish on purpose.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from scenes import motion, texture, view
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from coarse_loftr_msgs.msg import Correspondences, HomographyStamped
from coarse_loftr_ros.backends.base import DeviceError
from coarse_loftr_ros.backends.openvino_backend import OpenVinoBackend
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.node.common.conversion import image_message, stamp_ns, time_message
from coarse_loftr_ros.node.matcher.activity import MatcherActivity
from coarse_loftr_ros.node.matcher.parameter_table import PARAMETERS

WIDTH, HEIGHT = 320, 240
PERIOD_NS = 33_000_000
PICTURE = texture()
VALUES = {name: row.default for name, row in PARAMETERS.items()} | {
    "image_reliability": "reliable",
    "freshness": "all",
    "queue_depth": 100,
    "pairing": "keyframe",
    "keyframe.max_age": 0,
    "threads": 1,
    "image_timeout": 60.0,
}


class Device(OpenVinoBackend):
    """A real runtime that fails or hangs on demand."""

    fails = False

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.free = threading.Event()
        self.free.set()

    def encode(self, image: np.ndarray) -> object:
        assert self.free.wait(20)
        if self.fails:
            raise DeviceError("the GPU failed to encode an image: it is gone")
        return super().encode(image)


class ActiveMatcher:
    """The activity of a matcher, and a client of its topics and services, all on one executor."""

    def __init__(self, pipeline: Pipeline, **values) -> None:
        self.context = Context()
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        rclpy.init(context=self.context, domain_id=random.randint(101, 200))
        self.executor = SingleThreadedExecutor(context=self.context)
        self.node = Node("matcher", context=self.context)
        self.client = Node("client", context=self.context)
        for node in (self.node, self.client):
            self.executor.add_node(node)
        self.pipeline = pipeline
        pipeline.reset()
        self.activity = MatcherActivity(self.node, pipeline, VALUES | values, lambda: "")
        self.results: list[Correspondences] = []
        self.homographies: list[HomographyStamped] = []
        self.pictures: list[Image] = []
        everything = QoSProfile(depth=100)
        for kind, topic, into in (
            (Correspondences, "matcher/correspondences", self.results),
            (HomographyStamped, "matcher/homography", self.homographies),
            (Image, "matcher/overlay", self.pictures),
        ):
            self.client.create_subscription(kind, topic, into.append, everything)
        self.images = self.client.create_publisher(Image, "image", everything)
        self.until(self.images.get_subscription_count)
        self.until(lambda: self.node.count_subscribers("matcher/homography"))
        self.sent = 0

    @property
    def device(self) -> Device:
        return self.pipeline.backend

    def close(self) -> None:
        self.device.free.set()
        self.deactivate()
        self.executor.shutdown()
        for node in (self.node, self.client):
            node.destroy_node()
        rclpy.shutdown(context=self.context)

    def deactivate(self) -> None:
        if self.activity is not None:
            self.activity.close()
            self.activity = None

    def until(self, condition: Callable[[], object], timeout: float = 20.0) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end
            self.executor.spin_once(0.02)

    def send(self, encoding: str = "mono8") -> int:
        """Send the next image; its stamp, ns."""
        self.sent += 1
        picture = view(PICTURE, motion(2.0 * self.sent, 0.0, 0.0), WIDTH, HEIGHT)
        stamp = 10**9 + self.sent * PERIOD_NS
        message = image_message(picture, Header(stamp=time_message(stamp)))
        message.encoding = encoding
        self.images.publish(message)
        return stamp

    def received(self, number: int) -> None:
        """Wait until so many images have come in."""
        self.until(lambda: self.activity._statistics.snapshot().received >= number)

    def matched(self, stamp: int) -> int:
        """Wait for the result of an image; the stamp of its reference."""
        self.until(lambda: self.results and stamp_ns(self.results[-1].header.stamp) >= stamp)
        return stamp_ns(self.results[-1].reference_header.stamp)

    def call_async(self, service: str):
        client = self.client.create_client(Trigger, f"matcher/{service}")
        self.until(client.service_is_ready)
        return client.call_async(Trigger.Request())

    def call(self, service: str) -> tuple[bool, str]:
        return self.response(self.call_async(service))

    def response(self, future) -> tuple[bool, str]:
        self.until(future.done)
        return future.result().success, future.result().message

    def matching_status(self) -> DiagnosticStatus:
        return self.activity.diagnose()[1]


def with_parameters(**values) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("matcher", [values], indirect=True)
