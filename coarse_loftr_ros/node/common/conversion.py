"""Match results as messages of rclpy."""

from __future__ import annotations

import array
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from coarse_loftr_msgs.msg import Correspondences, HomographyStamped
from coarse_loftr_ros.messages.factory import stamp_ns
from coarse_loftr_ros.messages.matches import MatchMessages

__all__ = [
    "build",
    "class_lookup",
    "compressed_message",
    "correspondences_message",
    "header_of",
    "homography_message",
    "image_message",
    "stamp_ns",
    "time_message",
]

# Lines stay clear at a tenth of the bytes.
_JPEG_QUALITY = 80

_TYPE_CODES = {np.float32: "f", np.uint8: "B", np.uint32: "I"}


def class_lookup(classes: Iterable[type]) -> Callable[[str], Any]:
    """A function from names of types, such as ``std_msgs/msg/Header``, to classes of rclpy."""
    by_name = {f"{each.__module__.partition('.')[0]}/msg/{each.__name__}": each for each in classes}
    return by_name.__getitem__


def build(message_class: type, arrays: Mapping[str, NDArray], **fields: Any) -> Any:
    """A message; see ``MessageFactory.build``."""
    message = message_class(**fields)
    for name, values in arrays.items():
        setattr(message, name, _array(values))  # the constructor would copy it
    return message


def compressed_message(image: NDArray[np.uint8], header: Header) -> CompressedImage:
    """A colour image uint8 [H, W, 3], blue first, as JPEG; the format is as image_transport's.

    Raises:
        cv2.error: when a side is longer than JPEG allows, 65535 px.
    """
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    message = CompressedImage(header=header, format="bgr8; jpeg compressed bgr8")
    message.data = _array(jpeg)
    return message


def _array(values: NDArray) -> array.array:
    """C-contiguous values as what message fields take without checking each element."""
    result = array.array(_TYPE_CODES[values.dtype.type])
    if values.size:  # there is no memory to look at in an empty array
        result.frombytes(values.data.cast("B"))
    return result


_messages = MatchMessages(
    class_lookup([Time, Header, Image, Correspondences, HomographyStamped]), build
)
time_message = _messages.time
header_of = _messages.header_of
image_message = _messages.image
correspondences_message = _messages.correspondences
homography_message = _messages.homography
