"""An odometry node under test, and a world of points seen by a camera with exact truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from numpy.typing import NDArray
from rclpy.publisher import Publisher
from ros_harness import RELIABLE, Client, NodeProcess, camera_info
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from coarse_loftr_msgs.msg import Correspondences, RelativePose
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.node.common.conversion import time_message

WIDTH, HEIGHT, FOCAL, BASELINE = 640, 480, 400.0, 0.12
PERIOD_NS = 100_000_000
CENTRE = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])


class OdometryProcess(NodeProcess):
    """An ``odometry_node`` process."""

    name = "odometry"
    module = "coarse_loftr_ros.node.odometry.odometry_node"


@dataclass(frozen=True, eq=False)
class World:
    """Points, and matches of a perfect matcher with a little noise.

    Attributes:
        points: float64 [N, 3] in the first camera's optical frame, metres.
        noise_px: standard deviation of each coordinate of a match.
    """

    points: NDArray[np.float64]
    noise_px: float = 0.05

    @staticmethod
    def cloud(count: int = 600, seed: int = 3) -> World:
        """Points at 3 to 12 m in all the places that a camera going ahead may see."""
        rng = np.random.default_rng(seed)
        return World(rng.uniform((-6, -3, 3), (6, 3, 12), (count, 3)))

    @staticmethod
    def plane(altitude: float, count: int = 900, seed: int = 3) -> World:
        """Points on a plane that faces the first camera."""
        rng = np.random.default_rng(seed)
        extent = 2.5 * altitude
        sides = rng.uniform(-extent, extent, (count, 2))
        return World(np.column_stack([sides, np.full(count, altitude)]))

    def seen(self, camera: Pose, seed: int, shift: float = 0.0) -> NDArray[np.float64]:
        """Pixels [N, 2] of all points; NaN where a point is not in the image.

        Args:
            camera: optical frame in that of the first image.
            seed: of the noise.
            shift: of the eye along the camera's x, metres.
        """
        local = camera.inverse.apply(self.points) - (shift, 0, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = FOCAL * local[:, :2] / local[:, 2:] + CENTRE
        pixels += np.random.default_rng(seed).normal(0, self.noise_px, pixels.shape)
        inside = (local[:, 2] > 0.5) & (pixels >= 0).all(1) & (pixels < (WIDTH, HEIGHT)).all(1)
        return np.where(inside[:, None], pixels, np.nan)


def correspondences(
    reference: tuple[Header, NDArray], current: tuple[Header, NDArray]
) -> Correspondences:
    """The points that both of two images see; a point's index is its track id."""
    both = np.flatnonzero(~np.isnan(reference[1] + current[1]).any(axis=1))
    message = Correspondences(
        header=current[0],
        reference_header=reference[0],
        width=WIDTH,
        height=HEIGHT,
        reference_width=WIDTH,
        reference_height=HEIGHT,
    )
    message.reference_points = reference[1][both].astype(np.float32).ravel()
    message.current_points = current[1][both].astype(np.float32).ravel()
    message.confidence = np.ones(len(both), np.float32)
    message.inlier = np.ones(len(both), np.uint8)
    message.track_id = both.astype(np.uint32)
    return message


class OdometryClient(Client):
    """Publishes what a matcher would, and collects what the odometry node says."""

    def __init__(self, process: NodeProcess, stereo: bool) -> None:
        super().__init__(process)
        node = self.node
        sides = ("left/", "right/") if stereo else ("",)
        self.stereo = stereo
        self.world = World.cloud()
        self.start_ns = 1_000_000_000
        self.temporal = node.create_publisher(Correspondences, "matcher/correspondences", RELIABLE)
        self.stereo_publisher = node.create_publisher(
            Correspondences, "matcher/stereo/correspondences", RELIABLE
        )
        self.camera_info = [
            node.create_publisher(CameraInfo, side + "camera_info", RELIABLE) for side in sides
        ]
        self.odometry: list[Odometry] = []
        self.relative: list[RelativePose] = []
        self.paths: list[PathMessage] = []
        self.matches: list[Correspondences] = []
        self.stereo_matches: list[Correspondences] = []
        self.collect(Odometry, "odometry/odometry", self.odometry)
        self.collect(RelativePose, "odometry/relative_pose", self.relative)
        self.collect(PathMessage, "odometry/path", self.paths)

    def connect(self) -> None:
        publishers = [self.temporal, *self.camera_info]
        self.until(
            lambda: (
                all(p.get_subscription_count() for p in publishers)
                and self.node.count_publishers("odometry/odometry")
                and self.node.count_publishers("odometry/relative_pose")
            ),
            "the node's topics",
        )
        self.settle()

    def send_cameras(self, focal: float = FOCAL) -> None:
        """As a driver does, again and again: the node asks for no reliability."""
        for _ in range(4):
            for side, publisher in enumerate(self.camera_info):
                publisher.publish(camera_info(WIDTH, HEIGHT, focal, BASELINE * side))
            self.spin(0.05)

    def header(self, index: int, frame_id: str = "left") -> Header:
        return Header(stamp=time_message(self.start_ns + index * PERIOD_NS), frame_id=frame_id)

    def send_stereo(self, index: int, camera: Pose) -> None:
        """What the two eyes of an image see."""
        left = self.header(index), self.world.seen(camera, 2 * index)
        right = self.header(index, "right"), self.world.seen(camera, 2 * index + 1, BASELINE)
        self.stereo_publisher.publish(correspondences(left, right))

    def temporal_message(
        self, reference: tuple[int, Pose], current: tuple[int, Pose]
    ) -> Correspondences:
        """What two left images see, each given by its index and its camera."""
        return correspondences(
            *((self.header(i), self.world.seen(pose, 2 * i)) for i, pose in (reference, current))
        )

    def step(
        self, reference: tuple[int, Pose], current: tuple[int, Pose]
    ) -> tuple[Odometry, RelativePose]:
        """Send all that belongs to an image and receive the answer."""
        if self.stereo:
            self.send_stereo(*current)
        self.temporal.publish(self.temporal_message(reference, current))
        return self.answer(current[0])

    def answer(self, index: int) -> tuple[Odometry, RelativePose]:
        stamp = self.header(index).stamp

        def find(messages: list) -> object:
            return next((m for m in reversed(messages) if m.header.stamp == stamp), None)

        self.until(
            lambda: find(self.odometry) and find(self.relative), f"the answer to image {index}"
        )
        return find(self.odometry), find(self.relative)


def through_both_nodes(
    namespace: str, bag: Path, count: int, *matcher_parameters: str
) -> OdometryClient:
    """Play a stereo recording to a matcher and an odometry node, and collect what both say.

    Args:
        namespace: of the nodes and of the recording's topics ``left/image``, ``left/camera_info``
            and those of the right eye.
        bag: to play.
        count: of the odometry's answers to wait for.
        matcher_parameters: of the matcher, beside those that keep all images.
    """
    matcher = NodeProcess(
        namespace,
        "mode:=stereo",
        "freshness:=all",
        "image_reliability:=reliable",
        "threads:=1",
        *matcher_parameters,
    )
    odometry = OdometryProcess(namespace, "mode:=stereo", "stereo_wait:=5.0")
    client = OdometryClient(odometry, stereo=True)
    client.collect(Correspondences, "matcher/correspondences", client.matches)
    client.collect(Correspondences, "matcher/stereo/correspondences", client.stereo_matches)
    kinds = {"image": Image, "camera_info": CameraInfo}
    try:
        publishers = {
            f"{namespace}/{eye}/{name}": client.node.create_publisher(
                kind, f"{namespace}/{eye}/{name}", 100
            )
            for eye in ("left", "right")
            for name, kind in kinds.items()
        }
        matcher.wait_for_output("matching ")
        client.connect()
        client.until(
            lambda: (
                all(p.get_subscription_count() for p in publishers.values())
                and client.temporal.get_subscription_count() >= 2
                and client.node.count_publishers("matcher/correspondences") == 2
            ),
            "both nodes",
        )
        client.settle()
        client.settle("matcher")
        with AnyReader([bag]) as reader:
            messages = [(c.topic, bytes(raw)) for c, _, raw in reader.messages()]
        _connect_nodes(client, odometry.name, publishers, messages)
        # The nodes ask for no reliability of camera_info: it is said more than once before.
        for topic, raw in [message for message in messages if "camera_info" in message[0]]:
            publishers[topic].publish(raw)
            client.spin(0.02)
        for topic, raw in messages:
            publishers[topic].publish(raw)
            client.spin(0.01)
        client.until(
            lambda: len(client.odometry) == len(client.relative) == count, "all answers", 60.0
        )
    finally:
        client.close()
        assert odometry.stop() == 0, odometry.output
        assert matcher.stop() == 0, matcher.output
    return client


def _connect_nodes(
    client: OdometryClient,
    odometry: str,
    publishers: Mapping[str, Publisher],
    messages: Sequence[tuple[str, bytes]],
) -> None:
    """Wait until what the matcher sends reaches the odometry node; both then start over.

    That the client knows both does not say that they know each other.
    """
    beginning = messages[: 3 * len(publishers)]  # more than one image of each eye
    for _ in range(30):
        for topic, raw in beginning:
            publishers[topic].publish(raw)
            client.spin(0.02)
        client.spin(0.3)
        if client.odometry:
            break
    assert client.odometry, "nothing of the matcher reaches the odometry node"
    for node in ("matcher", odometry):
        assert client.call(Trigger, f"{node}/reset", Trigger.Request()).success
    answers = -1
    while answers != len(client.odometry):  # some are on their way, on a busy machine for long
        answers = len(client.odometry)
        client.spin(1.5)
    for received in (client.odometry, client.relative, client.matches, client.stereo_matches):
        received.clear()
    client.paths.clear()


def position(message: Odometry) -> NDArray[np.float64]:
    at = message.pose.pose.position
    return np.array([at.x, at.y, at.z])


def deviation(message: Odometry) -> NDArray[np.float64]:
    """Standard deviations [6] of the pose."""
    covariance = np.reshape(message.pose.covariance, (6, 6))
    return np.sqrt(np.diag(covariance))
