"""Real processes over real DDS: a node under test, and a client that talks to it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from coarse_loftr_msgs.msg import Correspondences, HomographyStamped
from coarse_loftr_ros.node.common.conversion import image_message, time_message

DOMAIN = random.randint(1, 100)
PERIOD_NS = 33_000_000
GRACE_S = 8.0
RELIABLE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class NodeProcess:
    """A process of a node (the matcher's), in a namespace of its own, with its output."""

    name = "matcher"
    module = "coarse_loftr_ros.node.matcher.matcher_node"

    def __init__(self, namespace: str, *parameters: str, file: Path | None = None) -> None:
        self.namespace = namespace
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        arguments = ["--ros-args", "-r", f"__ns:={namespace}"]
        if file is not None:
            arguments += ["--params-file", str(file)]
        for parameter in parameters:
            arguments += ["-p", parameter]
        environment = os.environ | {
            "ROS_DOMAIN_ID": str(DOMAIN),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, *arguments],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=Path(__file__).resolve().parents[2],
        )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def output(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def wait_for_output(self, text: str, timeout: float = 30.0) -> None:
        end = time.monotonic() + timeout
        while text not in self.output:
            assert self.process.poll() is None, f"node ended early:\n{self.output}"
            assert time.monotonic() < end, f"no {text!r} in:\n{self.output}"
            time.sleep(0.05)

    def wait(self, timeout: float = 30.0) -> int:
        return self.process.wait(timeout)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Signal the node; its exit status, or a failure when it has to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"node ignored signal {number}:\n{self.output}") from None


class Client:
    """Talks to a node from a ROS node of its own."""

    def __init__(self, process: NodeProcess) -> None:
        self.process = process
        self.namespace = namespace = process.namespace
        self.context = Context()
        rclpy.init(context=self.context, domain_id=DOMAIN)
        self.node = Node(
            f"client_{process.name}" + namespace.replace("/", "_"),
            context=self.context,
            namespace=namespace,
        )
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.diagnostics: list[DiagnosticArray] = []
        self.collect(DiagnosticArray, "/diagnostics", self.diagnostics)

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def connect(self) -> None:
        """Wait until messages would reach the node and its answers would come back."""
        raise NotImplementedError

    def collect(self, kind: type, topic: str, into: list) -> None:
        """Append each message of a topic to a list."""
        self.node.create_subscription(kind, topic, into.append, RELIABLE)

    # --- waiting --------------------------------------------------------------------------------

    def until(self, condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"waited {timeout} s for {what}:\n{self.process.output}"
            assert self.process.running, f"node ended while waiting for {what}"
            self.executor.spin_once(0.02)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.executor.spin_once(left)

    def call(self, kind: type, service: str, request: object) -> object:
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready, f"service {service}")
        future = client.call_async(request)
        self.until(future.done, f"the answer of {service}")
        self.node.destroy_client(client)
        return future.result()

    def settle(self, node: str = "") -> None:
        """Wait until a node (the process's) knows this client's publishers and subscriptions.

        To know the node's is not enough: what is sent before the node knows ours is lost. They are
        announced in order, so an answered call proves that those made before it are known.
        """
        client = self.node.create_client(GetState, f"{node or self.process.name}/get_state")
        self.until(client.service_is_ready, "the service get_state")
        answered = False
        for _ in range(30):  # a request may be sent too early as well
            future = client.call_async(GetState.Request())
            end = time.monotonic() + 0.5
            while not future.done() and time.monotonic() < end:
                self.executor.spin_once(0.02)
            answered = future.done()
            if answered:
                break
        self.node.destroy_client(client)
        assert answered, f"get_state was never answered:\n{self.process.output}"

    def trigger(self, service: str) -> Trigger.Response:
        return self.call(Trigger, f"{self.process.name}/{service}", Trigger.Request())

    def transition(self, number: int) -> bool:
        request = ChangeState.Request()
        request.transition.id = number
        return self.call(ChangeState, f"{self.process.name}/change_state", request).success

    def state(self) -> str:
        answer = self.call(GetState, f"{self.process.name}/get_state", GetState.Request())
        return answer.current_state.label

    def set_parameter(self, name: str, value: bool | int | float | str) -> object:
        kinds = {
            bool: ("bool_value", ParameterType.PARAMETER_BOOL),
            int: ("integer_value", ParameterType.PARAMETER_INTEGER),
            float: ("double_value", ParameterType.PARAMETER_DOUBLE),
            str: ("string_value", ParameterType.PARAMETER_STRING),
        }
        field, kind = kinds[type(value)]
        parameter = ParameterMessage(name=name, value=ParameterValue(type=kind, **{field: value}))
        request = SetParameters.Request(parameters=[parameter])
        return self.call(SetParameters, f"{self.process.name}/set_parameters", request).results[0]

    def diagnostic(self, name: str) -> tuple[int, str, dict[str, str]]:
        """Level, message and values of a status with this name that is made from now on."""
        wanted = f"{self.namespace}/{self.process.name}: {name}"
        self.diagnostics.clear()
        asked = self.node.get_clock().now().nanoseconds

        def made_before(array: DiagnosticArray) -> bool:
            stamp = Time.from_msg(array.header.stamp).nanoseconds
            return asked - 60e9 < stamp < asked  # simulated time is nowhere near

        def found() -> list:
            arrays = [array for array in self.diagnostics if not made_before(array)]
            return [s for array in arrays for s in array.status if s.name == wanted]

        # In simulated time the first one may have been on its way already.
        self.until(lambda: len(found()) >= 2, f"the diagnostic {wanted}", 8.0)
        status = found()[-1]
        values = {pair.key: pair.value for pair in status.values}
        return int.from_bytes(status.level, "little"), status.message, values

    def latest(self, name: str) -> tuple[int, str]:
        """Level and message of the last status with this name that has come; -1 without one."""
        wanted = f"{self.namespace}/{self.process.name}: {name}"
        every = (status for array in reversed(self.diagnostics) for status in array.status)
        status = next((status for status in every if status.name == wanted), None)
        return (
            (-1, "") if status is None else (int.from_bytes(status.level, "little"), status.message)
        )


class MatcherClient(Client):
    """Publishes images to a matcher and collects what it says."""

    def __init__(self, process: NodeProcess, stereo: bool = False) -> None:
        super().__init__(process)
        self.stamp = 1_000_000_000
        node = self.node
        sides = ("left/", "right/") if stereo else ("",)
        self.images = [node.create_publisher(Image, side + "image", RELIABLE) for side in sides]
        self.camera_info = [
            node.create_publisher(CameraInfo, side + "camera_info", RELIABLE) for side in sides
        ]
        self.compressed = node.create_publisher(CompressedImage, "image/compressed", RELIABLE)
        self.mask = node.create_publisher(Image, "mask", LATCHED)
        self.correspondences: list[Correspondences] = []
        self.stereo: list[Correspondences] = []
        self.homographies: list[HomographyStamped] = []
        self.overlays: list[Image] = []
        for kind, topic, into in (
            (Correspondences, "matcher/correspondences", self.correspondences),
            (Correspondences, "matcher/stereo/correspondences", self.stereo),
            (HomographyStamped, "matcher/homography", self.homographies),
        ):
            self.collect(kind, topic, into)

    def connect(self) -> None:
        """Wait until images would reach the node and its answers would come back."""
        publishers = [*self.images, self.compressed]
        self.until(
            lambda: (
                any(p.get_subscription_count() for p in publishers)
                and self.node.count_publishers("matcher/correspondences")
                and self.node.count_publishers("matcher/homography")
            ),
            "the node's topics",
        )
        self.settle()

    def message(self, image: np.ndarray, frame_id: str = "camera") -> Image:
        """An image message with the next stamp."""
        self.stamp += PERIOD_NS
        message = image_message(image, Header())
        message.header.stamp = time_message(self.stamp)
        message.header.frame_id = frame_id
        return message

    def send(self, message: Image | CompressedImage, side: int = 0) -> None:
        if isinstance(message, CompressedImage):
            self.compressed.publish(message)
        else:
            self.images[side].publish(message)

    def match(self, message: Image | CompressedImage) -> tuple[Correspondences, HomographyStamped]:
        """Send an image and receive its result."""
        self.send(message)
        return self.result(message.header.stamp)

    def result(self, stamp: object) -> tuple[Correspondences, HomographyStamped]:
        def find(messages: list) -> object:
            return next((m for m in messages if m.header.stamp == stamp), None)

        self.until(
            lambda: find(self.correspondences) and find(self.homographies),
            f"the result of the image at {stamp}",
        )
        return find(self.correspondences), find(self.homographies)


def scene(width: int = 320, height: int = 240, seed: int = 7) -> np.ndarray:
    """A textured picture, larger than the images cut from it."""
    random_numbers = np.random.default_rng(seed)
    size = (height + 200, width + 200)
    total = np.zeros(size, np.float32)
    for cell, weight in ((4, 0.5), (12, 1.0), (40, 1.5)):
        noise = random_numbers.random((size[0] // cell + 2, size[1] // cell + 2), np.float32)
        total += weight * cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)
    return cv2.normalize(total, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def view(picture: np.ndarray, x: int, y: int, width: int = 320, height: int = 240) -> np.ndarray:
    """The part of a scene with its top-left pixel at (100 + x, 100 + y)."""
    return np.ascontiguousarray(picture[100 + y : 100 + y + height, 100 + x : 100 + x + width])


def camera_info(
    width: int,
    height: int,
    focal: float,
    baseline: float = 0.0,
    distortion: tuple[float, ...] = (0.0,) * 5,
) -> CameraInfo:
    """A camera with its centre in the middle; its rectified image has the same."""
    cx, cy = (width - 1) / 2, (height - 1) / 2
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob")
    info.d = list(distortion)
    info.k = [focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [focal, 0.0, cx, -focal * baseline, 0.0, focal, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def shift_of(homography: HomographyStamped) -> np.ndarray:
    """How far the centre of the image moved, px."""
    centre = np.array([homography.width / 2, homography.height / 2, 1.0])
    moved = np.asarray(homography.matrix).reshape(3, 3) @ centre
    return moved[:2] / moved[2] - centre[:2]
