"""Image messages as no driver should send them, from a random generator, in serialised form.

Field checks of rclpy refuse to make some of them, so bytes are changed after serialisation too.
"""

from __future__ import annotations

import array
import zlib
from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from coarse_loftr_ros.images.decoding import ENCODINGS

__all__ = [
    "COUNTS",
    "STAMPS_S",
    "malformed_compressed",
    "malformed_image",
    "spoiled",
    "spoiled_header",
]

COUNTS = (0, 1, 2, 3, 7, 255, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_UNFIT = tuple(count for count in COUNTS if not 0 < count < 255)
STAMPS_S = (0, 1, -1, 2**31 - 1, -(2**31), 1_700_000_000)
_WORDS = (
    "",
    "MONO8",
    "mono8 ",
    "rgb",
    "8UC0",
    "64FC1",
    "32FC1",
    "x" * 5000,
    "\u00e9\u4e2d",
    "mono8;jpeg",
)
_FORMATS = (
    "",
    "jpeg",
    "png",
    "webp",
    "bgr8; jpeg compressed bgr8",
    "16UC1; compressedDepth",
    "h264",
)
_FRAMES = ("", "camera", "/camera", "camera\n", "x" * 3000)


def spoiled(message: bytes, rng: Generator) -> bytes:
    """A serialised message with bytes changed, lost or added; its first four bytes stay.

    They say how it is serialised, which the middleware takes on trust.
    """
    content = bytearray(message)
    match rng.integers(4):
        case 0:
            del content[int(rng.integers(4, len(content))) :]
        case 1:
            content += rng.bytes(int(rng.integers(1, 64)))
        case 2:  # where lengths and strings are
            place = int(rng.integers(4, min(len(content), 80)))
            content[place : place + 4] = rng.bytes(4)[: len(content) - place]
        case _:
            for place in rng.integers(4, len(content), rng.integers(1, 8)):
                content[place] = rng.integers(256)
    return bytes(content)


def spoiled_header(rng: Generator, stamp_ns: int) -> Header:
    """A header that may be of any time and of any frame."""
    header = Header(frame_id=str(rng.choice(_FRAMES)))
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 10**9)
    match rng.integers(4):
        case 0:
            header.stamp.sec = int(rng.choice(STAMPS_S))
        case 1:
            header.stamp.nanosec = int(rng.choice(COUNTS))
    return header


def malformed_image(good: Image, rng: Generator) -> bytes:
    """A ``sensor_msgs/Image``, serialised.

    Args:
        good: that it is made from; it is not changed.
        rng: decides all.
    """
    message = Image(
        header=good.header,
        height=good.height,
        width=good.width,
        encoding=good.encoding,
        is_bigendian=good.is_bigendian,
        step=good.step,
        data=good.data,
    )
    changes: tuple[Callable[[], None], ...] = (
        lambda: _set_sizes(message, rng),
        lambda: setattr(message, "step", int(rng.choice((*COUNTS, good.width - 1, good.step + 1)))),
        lambda: setattr(message, "data", _some_bytes(rng, len(good.data))),
        lambda: setattr(message, "encoding", str(rng.choice((*ENCODINGS, *_WORDS)))),
        lambda: setattr(message, "is_bigendian", int(rng.integers(256))),
        lambda: setattr(message, "header", spoiled_header(rng, _stamp_ns(good))),
    )
    for index in rng.choice(len(changes), rng.integers(1, 4), replace=False):
        changes[index]()
    content = serialize_message(message)
    return spoiled(content, rng) if rng.random() < 0.2 else content


def malformed_compressed(good: NDArray[np.uint8], rng: Generator, stamp_ns: int) -> bytes:
    """A ``sensor_msgs/CompressedImage``, serialised.

    Args:
        good: uint8 [H, W], the picture that it is made from.
        rng: decides all.
        stamp_ns: of the message, unless that is what is wrong.
    """
    suffix = str(rng.choice((".jpg", ".png", ".webp", ".bmp", ".tiff", ".pgm")))
    data = bytearray(cv2.imencode(suffix, good)[1].tobytes())
    match rng.choice(7, p=(0.25, 0.15, 0.02, 0.08, 0.1, 0.1, 0.3)):
        case 0:
            del data[int(rng.integers(0, len(data))) :]
        case 1:
            data = bytearray(rng.bytes(int(rng.integers(0, 4000))))
        case 2:  # where the sizes are
            place = int(rng.integers(0, min(len(data), 64)))
            data[place : place + 4] = rng.bytes(4)
        case 3:
            data = bytearray(_claiming_png(rng))
        case 4:
            data = rng.bytes(12) + data  # as compressedDepth has it
        case 5:
            data += rng.bytes(100)
        case _:
            for place in rng.integers(0, len(data), rng.integers(1, 30)):
                data[place] = rng.integers(256)
    message = CompressedImage(
        header=spoiled_header(rng, stamp_ns), format=str(rng.choice(_FORMATS))
    )
    message.data = array.array("B", bytes(data))
    content = serialize_message(message)
    return spoiled(content, rng) if rng.random() < 0.2 else content


def _set_sizes(message: Image, rng: Generator) -> None:
    """Sizes that the data cannot have: others are well formed, and have a network loaded."""
    for name in ("height", "width"):
        if rng.random() < 0.7:
            setattr(message, name, int(rng.choice((*_UNFIT, getattr(message, name) + 1))))


def _some_bytes(rng: Generator, length: int) -> array.array:
    length = int(rng.choice((0, 1, length - 1, length + 1, 2 * length, rng.integers(0, length))))
    return array.array("B", rng.bytes(length))


def _stamp_ns(message: Image) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def _claiming_png(rng: Generator) -> bytes:
    """A small file that says it is a large picture."""
    data = bytearray(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes())
    width, height = rng.choice((0, 1, 4, 8192, 30000, 65535, 2**31 - 1), 2)
    data[16:24] = int(width).to_bytes(4, "big") + int(height).to_bytes(4, "big")
    return _with_checksum(data)


def _with_checksum(data: bytearray) -> bytes:
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)
