"""Cameras and correspondences as nobody should send them, from a random generator, serialised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo

from coarse_loftr_msgs.msg import Correspondences
from reliability.malformed_images import COUNTS, spoiled, spoiled_header

__all__ = ["malformed_camera_info", "malformed_correspondences"]

_NUMBERS = (0.0, -1.0, 1.0, 1e-300, 1e30, -1e30, 1e300, np.nan, np.inf, -np.inf)
_MODELS = (
    "",
    "plumb_bob",
    "rational_polynomial",
    "equidistant",
    "none",
    "pinhole",
    "fisheye",
    "x" * 999,
)
_SMALL = (0, 1, 2, 3, 255, 2**31, 2**32 - 1)
_MOST_POINTS = 30_000


def malformed_camera_info(good: CameraInfo, rng: Generator) -> bytes:
    """A ``sensor_msgs/CameraInfo``, serialised.

    Args:
        good: that it is made from; it is not changed.
        rng: decides all.
    """
    message = deserialize_message(serialize_message(good), CameraInfo)

    def sizes() -> None:
        message.width, message.height = (
            int(rng.choice((*COUNTS, good.width, good.height, 20000))) for _ in range(2)
        )

    def binning() -> None:
        message.binning_x, message.binning_y = (int(rng.choice(_SMALL)) for _ in range(2))

    def roi() -> None:
        for name in ("x_offset", "y_offset", "height", "width"):
            setattr(message.roi, name, int(rng.choice((*_SMALL, good.width, good.height))))

    def distortion() -> None:
        message.distortion_model = str(rng.choice(_MODELS))
        length = int(rng.choice((0, 1, 4, 5, 6, 8, 12, 14, 15, 1000)))
        message.d = _some_numbers(
            rng, rng.normal(0, rng.choice((0.0, 0.1, 100.0)), length)
        ).tolist()

    def matrix(name: str) -> Callable[[], None]:
        return lambda: setattr(message, name, _some_numbers(rng, np.array(getattr(good, name))))

    def size_and_binning() -> None:
        sizes()
        binning()

    def header() -> None:
        message.header = spoiled_header(rng, 0)

    changes = (
        sizes, binning, size_and_binning, roi, distortion, header, matrix("k"), matrix("r"),
        matrix("p"),
    )  # fmt: skip
    for index in rng.choice(len(changes), rng.integers(1, 4), replace=False):
        changes[index]()
    content = serialize_message(message)
    return spoiled(content, rng) if rng.random() < 0.1 else content


def malformed_correspondences(good: Correspondences, rng: Generator) -> bytes:
    """A ``coarse_loftr_msgs/Correspondences``, serialised.

    Args:
        good: that it is made from; it is not changed.
        rng: decides all.
    """
    message = deserialize_message(serialize_message(good), Correspondences)
    count = len(good.track_id)

    def points(name: str) -> Callable[[], None]:
        def change() -> None:
            values = np.array(getattr(good, name), np.float32)
            setattr(message, name, _some_points(rng, values))

        return change

    def length() -> None:
        name = str(
            rng.choice(("reference_points", "current_points", "confidence", "inlier", "track_id"))
        )
        values = np.asarray(getattr(message, name))
        size = int(rng.choice((0, 1, max(0, len(values) - 1), len(values) + 1, 2 * len(values))))
        setattr(message, name, np.resize(values, size) if len(values) else values)

    def huge() -> None:
        number = int(rng.choice((count, 5000, _MOST_POINTS), p=(0.9, 0.08, 0.02)))
        for name in ("reference_points", "current_points"):
            setattr(message, name, rng.uniform(-50, 700, 2 * number).astype(np.float32))
        message.confidence = rng.random(number, np.float32)
        message.inlier = rng.integers(0, 2, number).astype(np.uint8)
        message.track_id = rng.permutation(number).astype(np.uint32)

    def none() -> None:
        for name in ("reference_points", "current_points", "confidence", "inlier", "track_id"):
            setattr(message, name, [])

    def identities() -> None:
        choices = np.array((0, 1, 7, 2**31, 2**32 - 1), np.uint32)
        message.track_id = rng.choice(choices, count)

    def confidence() -> None:
        with np.errstate(over="ignore"):
            message.confidence = _some_numbers(rng, np.ones(count)).astype(np.float32)

    def sizes() -> None:
        for name in ("width", "height", "reference_width", "reference_height"):
            if rng.random() < 0.5:
                setattr(message, name, int(rng.choice(COUNTS)))

    def stamps() -> None:
        name = str(rng.choice(("header", "reference_header")))
        setattr(message, name, spoiled_header(rng, int(rng.integers(0, 2**40))))

    def same_stamp() -> None:
        message.reference_header = message.header

    def turned_round() -> None:
        message.header, message.reference_header = message.reference_header, message.header

    changes = (
        points("reference_points"), points("current_points"), length, huge, none, identities,
        confidence, sizes, stamps, same_stamp, turned_round,
    )  # fmt: skip
    for index in rng.choice(len(changes), rng.integers(1, 4), replace=False):
        changes[index]()
    content = serialize_message(message)
    return spoiled(content, rng) if rng.random() < 0.1 else content


def _some_numbers(rng: Generator, good: np.ndarray) -> np.ndarray:
    """Some or all of the numbers replaced by what is none, or by far too much."""
    share = rng.choice((0.1, 0.3, 1.0))
    return np.where(rng.random(good.shape) < share, rng.choice(_NUMBERS, good.shape), good)


def _some_points(rng: Generator, good: np.ndarray) -> np.ndarray:
    """Points of float32 that are nowhere, all in one place, on one line or anywhere."""
    match rng.integers(5):
        case 0:
            with np.errstate(over="ignore"):
                return _some_numbers(rng, good).astype(np.float32)
        case 1:
            return np.full_like(good, rng.choice((0.0, 100.0, 1e9, -1e9)))
        case 2:
            return np.repeat(np.arange(len(good) // 2, dtype=np.float32), 2)
        case 3:
            return rng.uniform(-1e4, 1e4, good.shape).astype(np.float32)
        case _:
            return rng.permutation(good)
