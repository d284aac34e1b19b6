"""Matchers that are sent malformed images, compressed images and camera_info."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from fuzz_target import Target
from malformed_images import malformed_compressed, malformed_image
from malformed_numbers import malformed_camera_info
from ros_harness import MatcherClient, NodeProcess, camera_info, scene, view
from sensor_msgs.msg import CompressedImage

__all__ = ["CameraInfos", "CompressedImages", "Images"]

_SIZE = {"width": 160, "height": 120}
_OTHER_SIZES = ({"width": 96, "height": 96}, {"width": 96, "height": 160})
_PARAMETERS = (
    f"expected_width:={_SIZE['width']}", f"expected_height:={_SIZE['height']}", "threads:=1",
    "freshness:=all", "image_reliability:=reliable", "queue_depth:=200", "diagnostics_period:=0.5",
)  # fmt: skip


class _Matcher(Target):
    ready = "matching "
    parameters: tuple[str, ...] = ()
    # Of damaged images some are well formed and of another size. A node keeps networks for three:
    # with these it has them before it is looked at.
    other_sizes: tuple[dict[str, int], ...] = ()
    size = _SIZE

    def connect(self) -> None:
        """See ``Target.connect``."""
        super().connect()
        for size in (*self.other_sizes, _SIZE):
            self.size = size
            self.settle()

    def _start(self, namespace: str) -> tuple[NodeProcess, MatcherClient]:
        process = NodeProcess(namespace, *_PARAMETERS, *self.parameters)
        self.picture = scene(**_SIZE)
        return process, MatcherClient(process)

    @property
    def answers(self) -> list[list]:
        return [self.client.correspondences, self.client.homographies]

    def _next_view(self) -> np.ndarray:
        return view(self.picture, *self.rng.integers(-10, 10, 2), **self.size)

    def _well_formed(self) -> Callable[[], bool]:
        # The first of them may become the reference: of the second one the matches are told.
        sent = [self._send_good() for _ in range(2)]
        return lambda: any(
            answer.header.stamp == stamp for answer in self.client.homographies for stamp in sent
        )

    def _send_good(self) -> object:
        message = self.client.message(self._next_view())
        self.client.send(message)
        return message.header.stamp


class Images(_Matcher):
    """A matcher of raw images."""

    kind = "Image"
    parameters = ("use_mask:=true",)
    other_sizes = _OTHER_SIZES

    def _spoil(self) -> bytes:
        content = malformed_image(self.client.message(self._next_view()), self.rng)
        # A mask is an image as well.
        publisher = self.client.mask if self.rng.random() < 0.05 else self.client.images[0]
        publisher.publish(content)
        return content


class CompressedImages(_Matcher):
    """A matcher of compressed images."""

    kind = "CompressedImage"
    parameters = ("image_transport:=compressed",)
    other_sizes = _OTHER_SIZES

    def _spoil(self) -> bytes:
        self.client.stamp += 10_000_000
        content = malformed_compressed(self._next_view(), self.rng, self.client.stamp)
        self.client.compressed.publish(content)
        return content

    def _send_good(self) -> object:
        raw = self.client.message(self._next_view())
        message = CompressedImage(header=raw.header, format="mono8; png compressed mono8")
        image = np.frombuffer(raw.data, np.uint8).reshape(raw.height, raw.width)
        message.data = cv2.imencode(".png", image)[1].tobytes()
        self.client.send(message)
        return message.header.stamp


class CameraInfos(_Matcher):
    """A matcher that rectifies as camera_info says."""

    kind = "CameraInfo"
    parameters = ("rectify:=true",)
    good = camera_info(**_SIZE, focal=150.0, distortion=(-0.1, 0.01, 0.0, 0.0, 0.0))

    def _spoil(self) -> bytes:
        content = malformed_camera_info(self.good, self.rng)
        self.client.camera_info[0].publish(content)
        self.client.send(self.client.message(self._next_view()))
        return content

    def _send_good(self) -> object:
        self.client.camera_info[0].publish(self.good)
        self.client.spin(0.005)  # it is another topic
        return super()._send_good()
