"""Messages of whichever classes are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.messages.names import IMAGE

__all__ = ["MessageFactory", "stamp_ns"]

_NS_PER_S = 1_000_000_000


def stamp_ns(time: Any) -> int:
    """A ``builtin_interfaces/Time`` in integer nanoseconds."""
    return time.sec * _NS_PER_S + time.nanosec


@dataclass(frozen=True)
class MessageFactory:
    """Makes stamps, headers and images; subclasses make more.

    rclpy and rosbags name fields alike. Here every field is given, as rosbags wants it, and by its
    name, as rclpy wants it.

    Attributes:
        class_of: the class of a type's name, such as ``std_msgs/msg/Header``.
        build: a message of a class, of C-contiguous arrays of any shape for the fields of no fixed
            length, by name, and of the other fields as keywords.
    """

    class_of: Callable[[str], Any]
    build: Callable[..., Any]

    def time(self, ns: int) -> Any:
        """Integer nanoseconds as a ``builtin_interfaces/Time``."""
        sec, nanosec = divmod(ns, _NS_PER_S)
        return self.class_of("builtin_interfaces/msg/Time")(sec=sec, nanosec=nanosec)

    def header(self, stamp: int, frame_id: str) -> Any:
        """A stamp in nanoseconds and a frame as ``std_msgs/Header``."""
        return self.class_of("std_msgs/msg/Header")(stamp=self.time(stamp), frame_id=frame_id)

    def header_of(self, frame: Frame) -> Any:
        """The header that a frame came with."""
        return self.header(frame.stamp, frame.frame_id)

    def image(self, image: NDArray[np.uint8], header: Any) -> Any:
        """An image as ``sensor_msgs/Image``.

        Args:
            image: colour (blue first) uint8 [H, W, 3], or grey [H, W].
            header: of the message.
        """
        height, width = image.shape[:2]
        colour = image.ndim == 3
        return self.build(
            self.class_of(IMAGE),
            {"data": np.ascontiguousarray(image, np.uint8)},
            header=header,
            height=height,
            width=width,
            encoding="bgr8" if colour else "mono8",
            is_bigendian=0,
            step=width * (image.shape[2] if colour else 1),
        )
