"""Matchers that are sent malformed images, compressed images and camera_info."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message
from ros_harness import MatcherClient, NodeProcess, camera_info, scene, view
from sensor_msgs.msg import CompressedImage, Image

from coarse_loftr_ros.images.decoding import ImageError, decode_compressed, decode_image
from reliability.fuzz_target import Target
from reliability.malformed_images import malformed_compressed, malformed_image
from reliability.malformed_numbers import malformed_camera_info

__all__ = ["CameraInfosTarget", "CompressedImagesTarget", "ImagesTarget"]

_SIZE = {"width": 160, "height": 120}
_PARAMETERS = (
    f"expected_width:={_SIZE['width']}", f"expected_height:={_SIZE['height']}", "threads:=1",
    "freshness:=all", "image_reliability:=reliable", "queue_depth:=200", "diagnostics_period:=0.5",
)  # fmt: skip


class _MatcherTarget(Target):
    ready = "matching "
    parameters: tuple[str, ...] = ()

    def _start(self, namespace: str) -> tuple[NodeProcess, MatcherClient]:
        process = NodeProcess(namespace, *_PARAMETERS, *self.parameters)
        self.picture = scene(**_SIZE)
        return process, MatcherClient(process)

    @property
    def answers(self) -> list[list]:
        return [self.client.correspondences, self.client.homographies]

    def _next_view(self) -> np.ndarray:
        return view(self.picture, *self.rng.integers(-10, 10, 2), **_SIZE)

    def _well_formed(self) -> Callable[[], bool]:
        # The first of them may become the reference: the second one is then matched with it.
        sent = [self._send_good() for _ in range(2)]
        return lambda: any(
            answer.header.stamp == stamp for answer in self.client.homographies for stamp in sent
        )

    def _send_good(self) -> object:
        message = self.client.message(self._next_view())
        self.client.send(message)
        return message.header.stamp


class ImagesTarget(_MatcherTarget):
    """A matcher of raw images."""

    kind = "Image"
    parameters = ("use_mask:=true",)

    def _spoil(self) -> bytes:
        good = self.client.message(self._next_view())
        content = _of_no_other_size(
            lambda: malformed_image(good, self.rng),
            lambda content: decode_image(deserialize_message(content, Image)),
        )
        # A mask is an image as well.
        publisher = self.client.mask if self.rng.random() < 0.05 else self.client.images[0]
        publisher.publish(content)
        return content


class CompressedImagesTarget(_MatcherTarget):
    """A matcher of compressed images."""

    kind = "CompressedImage"
    parameters = ("image_transport:=compressed",)

    def _spoil(self) -> bytes:
        self.client.stamp += 10_000_000
        good = self._next_view()
        content = _of_no_other_size(
            lambda: malformed_compressed(good, self.rng, self.client.stamp),
            lambda content: decode_compressed(deserialize_message(content, CompressedImage)),
        )
        self.client.compressed.publish(content)
        return content

    def _send_good(self) -> object:
        raw = self.client.message(self._next_view())
        message = CompressedImage(header=raw.header, format="mono8; png compressed mono8")
        image = np.frombuffer(raw.data, np.uint8).reshape(raw.height, raw.width)
        message.data = cv2.imencode(".png", image)[1].tobytes()
        self.client.send(message)
        return message.header.stamp


class CameraInfosTarget(_MatcherTarget):
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


def _of_no_other_size(
    make: Callable[[], bytes], decode: Callable[[bytes], NDArray[np.uint8]]
) -> bytes:
    """A message that is no well-formed image of another size.

    For each of those a network is loaded, and what malloc then keeps differs by some MiB: that
    would hide a leak. soak.py changes sizes.
    """
    expected = (_SIZE["height"], _SIZE["width"])
    while True:
        content = make()
        # DDS fills a message up to four bytes, which may make one whole that was cut off.
        images = [_decoded(decode, received) for received in (content, _filled_up(content))]
        if all(image is None or image.shape == expected for image in images):
            return content


def _filled_up(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)


def _decoded(
    decode: Callable[[bytes], NDArray[np.uint8]], content: bytes
) -> NDArray[np.uint8] | None:
    """The image, ``None`` when it is malformed or no message at all."""
    with _silence():
        try:
            return decode(content)
        except (ImageError, RuntimeError, ValueError):
            return None


@contextmanager
def _silence() -> Iterator[None]:
    """Without the words that image libraries print about damaged files."""
    before = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
