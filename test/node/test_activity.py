"""The matcher's active part in this process: commands, and errors where nobody expects them.

Images, results, services and the network are real; devices fail and publishers vanish on purpose.
"""

from __future__ import annotations

import gc
import os
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

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
from coarse_loftr_ros.node.matcher.parameters import (
    match_settings,
    pipeline_settings,
    reference_policy,
)

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


class Desk:
    """An active part with a client that sends images and asks, all on one executor."""

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

    def ask(self, service: str):
        client = self.client.create_client(Trigger, f"matcher/{service}")
        self.until(client.service_is_ready)
        return client.call_async(Trigger.Request())

    def answer(self, service: str) -> tuple[bool, str]:
        return self.answered(self.ask(service))

    def answered(self, future) -> tuple[bool, str]:
        self.until(future.done)
        return future.result().success, future.result().message

    def matching(self) -> DiagnosticStatus:
        return self.activity.diagnose()[1]


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "coarse_loftr_ros.matching.pipeline.create_backend",
            lambda name, model, size, threads, *others: Device(model, size, threads),
        )
        made = Pipeline(
            pipeline_settings(VALUES),
            match_settings(VALUES),
            reference_policy(VALUES),
            (WIDTH, HEIGHT),
        )
        yield made
        made.close()


@pytest.fixture
def desk(request, pipeline) -> Iterator[Desk]:
    """With other parameters where a test names them."""
    pipeline.backend.fails = False
    made = Desk(pipeline, **getattr(request, "param", {}))
    yield made
    made.close()


def with_parameters(**values) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("desk", [values], indirect=True)


def seconds(stamp: int) -> str:
    return f"{stamp // 10**9}.{stamp % 10**9:09d} s"


# --- commands -----------------------------------------------------------------------------------


def test_set_keyframe_fails_with_the_reason_when_there_is_no_image(desk):
    assert desk.answer("set_keyframe") == (False, "no image has been received yet")
    desk.send()
    second = desk.send()
    desk.matched(second)
    assert desk.answer("reset") == (True, "the next image is the new reference")
    assert desk.answer("set_keyframe") == (
        False,
        "no image has been matched since the start or the last reset",
    )


def test_set_keyframe_fails_when_the_newest_image_cannot_be_used(desk):
    first = desk.send()
    desk.matched(desk.send())
    desk.send("garbage")
    desk.received(3)
    success, message = desk.answer("set_keyframe")
    assert not success
    assert message.startswith("the newest image was not used: image encoding 'garbage'")
    assert desk.matched(desk.send()) == first


def test_set_keyframe_takes_the_newest_image_received_though_others_wait(desk):
    """A queue of images behind one that takes long: the answer is about the last of them."""
    desk.send()
    desk.device.free.clear()
    stamps = [desk.send() for _ in range(6)]
    desk.received(7)
    asked = desk.ask("set_keyframe")
    desk.until(lambda: desk.activity._commands._open)
    later = desk.send()
    desk.received(8)
    assert not asked.done()
    desk.device.free.set()
    success, message = desk.answered(asked)
    assert success
    assert f"the newest image, of {seconds(stamps[-1])}, is the reference" in message
    assert desk.matched(later) == stamps[-1]


def test_reset_comes_between_the_images_that_have_come_and_those_to_come(desk):
    first = desk.send()
    desk.device.free.clear()
    before = [desk.send() for _ in range(3)]
    desk.received(4)
    asked = desk.ask("reset")
    desk.until(lambda: desk.activity._commands._open)
    after = [desk.send() for _ in range(2)]
    desk.device.free.set()
    assert desk.answered(asked)[0]
    assert desk.matched(after[-1]) == after[0]
    results = [stamp_ns(message.header.stamp) for message in desk.results]
    assert results == [*before, after[-1]]
    assert stamp_ns(desk.results[0].reference_header.stamp) == first


@with_parameters(freshness="latest")
def test_when_only_the_newest_image_counts_a_newer_one_may_become_the_keyframe(desk):
    desk.send()
    desk.until(lambda: desk.activity._statistics.snapshot().counts["first references"])
    desk.matched(desk.send())
    desk.until(lambda: desk.activity._worker.busy_s == 0)
    desk.device.free.clear()
    desk.send()
    desk.received(3)
    desk.until(lambda: desk.activity._worker.busy_s > 0)
    desk.send()
    desk.received(4)
    asked = desk.ask("set_keyframe")
    desk.until(lambda: desk.activity._commands._open)
    newest = desk.send()
    desk.received(5)
    desk.device.free.set()
    success, message = desk.answered(asked)
    assert success and seconds(newest) in message


def test_the_node_goes_on_while_an_answer_waits_and_answers_when_it_is_deactivated(desk):
    desk.device.free.clear()
    desk.send()
    desk.received(1)
    asked = [desk.ask("set_keyframe"), desk.ask("reset")]
    desk.until(lambda: desk.activity._commands._open == 2)
    desk.send()
    desk.received(2)  # images are received meanwhile
    threading.Timer(0.2, desk.device.free.set).start()
    commands = desk.activity._commands
    desk.deactivate()
    for future in asked:
        assert desk.answered(future) == (False, "nothing was done: the node is not active")
    desk.until(lambda: not commands._services)


def test_what_is_asked_while_the_node_is_deactivated_is_answered_and_leaves_nothing(desk):
    desk.device.free.clear()
    desk.send()
    desk.received(1)
    first = desk.ask("reset")
    commands = desk.activity._commands
    desk.until(lambda: commands._open)
    late = [desk.ask("set_keyframe"), desk.ask("reset")]
    threading.Timer(0.2, desk.device.free.set).start()
    desk.deactivate()  # with the services still open, for the one that waits
    for future in (first, *late):
        assert desk.answered(future) == (False, "nothing was done: the node is not active")
    desk.until(lambda: not commands._services)


def test_an_answer_that_waits_when_the_process_ends_is_given_up_without_a_word(
    pipeline, monkeypatch
):
    complaints = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    desk = Desk(pipeline)
    desk.device.free.clear()
    desk.send()
    desk.received(1)
    desk.ask("reset")
    commands = desk.activity._commands
    desk.until(lambda: commands._open)
    desk.close()
    del desk
    gc.collect()
    assert [str(complaint.exc_value) for complaint in complaints] == []


def test_a_command_that_waits_too_long_is_taken_back(desk):
    desk.activity._commands._timeout_s = 0.2
    desk.device.free.clear()
    first = desk.send()
    desk.received(1)
    assert desk.answer("reset") == (False, "nothing was done: the node was busy for 0.2 s")
    desk.device.free.set()
    assert desk.matched(desk.send()) == first


def test_a_keyframe_on_a_device_that_fails_is_refused_and_the_node_lives(desk):
    first = desk.send()
    desk.matched(desk.send())
    desk.device.fails = True
    desk.send()
    desk.received(3)
    success, message = desk.answer("set_keyframe")
    assert not success
    assert "the GPU failed to encode an image: it is gone" in message
    desk.device.fails = False
    assert desk.matched(desk.send()) == first


# --- errors -------------------------------------------------------------------------------------


def test_an_error_while_publishing_costs_one_result(desk):
    desk.send()
    desk.matched(desk.send())
    gone = desk.activity._outputs._homography
    desk.activity._outputs._homography = None
    desk.matched(desk.send())
    desk.until(lambda: desk.activity._worker.busy_s == 0)
    status = desk.matching()
    assert status.level == DiagnosticStatus.ERROR
    assert "errors while publishing: 1, see the log" in status.message
    desk.activity._outputs._homography = gone
    last = desk.send()
    desk.matched(last)
    desk.until(lambda: stamp_ns(desk.homographies[-1].header.stamp) == last)
    assert desk.matching().level == DiagnosticStatus.OK
    assert desk.activity.failure is None


def test_an_error_while_drawing_costs_no_result(desk, monkeypatch):
    def fail(*arguments: object) -> None:
        raise MemoryError("no room for a picture")

    monkeypatch.setattr("coarse_loftr_ros.node.matcher.outputs.draw_overlay", fail)
    desk.until(desk.activity._outputs._overlay.get_subscription_count)
    desk.send()
    last = desk.send()
    desk.matched(last)
    desk.until(lambda: desk.homographies)
    desk.until(lambda: desk.activity._worker.busy_s == 0)
    status = desk.matching()
    assert status.level == DiagnosticStatus.ERROR
    assert "errors while drawing the overlay: 1, see the log" in status.message
    assert desk.activity._statistics.snapshot().counts["published"] == 1


def feed(desk: Desk) -> DiagnosticStatus:
    """Send images until the lack of results has lasted; what is said then."""
    status = desk.matching()

    def lasted() -> bool:
        nonlocal status
        desk.send()
        status = desk.matching()
        return status.level == DiagnosticStatus.ERROR

    desk.until(lasted)
    return status


@with_parameters(image_timeout=0.2)
def test_a_device_that_fails_for_long_is_an_error_that_says_so(desk):
    desk.device.fails = True
    assert re.search(
        r"images come, nothing was published for \d\.\d s: \d+ rejected \(backend\)",
        feed(desk).message,
    )


@with_parameters(image_timeout=0.4)
def test_a_worker_that_hangs_is_an_error_that_says_so(desk):
    desk.device.free.clear()
    assert re.search(r"an image has been in work for \d\.\d s", feed(desk).message)
