"""Between match results and ROS messages."""

from __future__ import annotations

import array

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from coarse_loftr_msgs.msg import Correspondences, HomographyStamped
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.result import MatchResult, StereoMatch

__all__ = [
    "compressed_message",
    "correspondences_message",
    "header_of",
    "homography_message",
    "image_message",
    "stamp_ns",
    "time_message",
]

_NS_PER_S = 1_000_000_000

# Lines stay clear at a tenth of the bytes.
_JPEG_QUALITY = 80


def stamp_ns(time: Time) -> int:
    """A ``builtin_interfaces/Time`` in integer nanoseconds."""
    return time.sec * _NS_PER_S + time.nanosec


def time_message(ns: int) -> Time:
    """Integer nanoseconds as a ``builtin_interfaces/Time``."""
    sec, nanosec = divmod(ns, _NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)


def header_of(frame: Frame) -> Header:
    """The header that a frame came with."""
    return Header(stamp=time_message(frame.stamp), frame_id=frame.frame_id)


def correspondences_message(result: MatchResult | StereoMatch) -> Correspondences:
    """A match result as ``coarse_loftr_msgs/Correspondences``."""
    points = result.correspondences
    message = Correspondences(
        header=header_of(result.current),
        reference_header=header_of(result.reference),
        width=result.current.width,
        height=result.current.height,
        reference_width=result.reference.width,
        reference_height=result.reference.height,
    )
    message.reference_points = _array("f", points.reference_points, np.float32)
    message.current_points = _array("f", points.current_points, np.float32)
    message.confidence = _array("f", points.confidence, np.float32)
    message.inlier = _array("B", points.inlier, np.uint8)
    message.track_id = _array("I", points.track_id, np.uint32)
    return message


def homography_message(result: MatchResult) -> HomographyStamped:
    """A match result as ``coarse_loftr_msgs/HomographyStamped``."""
    homography = result.homography
    return HomographyStamped(
        header=header_of(result.current),
        reference_header=header_of(result.reference),
        width=result.current.width,
        height=result.current.height,
        reference_width=result.reference.width,
        reference_height=result.reference.height,
        matrix=np.ascontiguousarray(homography.matrix, np.float64).reshape(9),
        match_count=homography.match_count,
        inlier_count=homography.inlier_count,
        inlier_ratio=float(homography.inlier_ratio),
        rms_px=float(homography.rms_px),
        coverage=float(homography.coverage),
        status=int(homography.status),
        reason=homography.reason,
    )


def image_message(image: NDArray[np.uint8], header: Header) -> Image:
    """A colour (blue first) image uint8 [H, W, 3] or a grey one [H, W] as ``sensor_msgs/Image``."""
    height, width = image.shape[:2]
    message = Image(header=header, height=height, width=width)
    message.encoding = "bgr8" if image.ndim == 3 else "mono8"
    message.step = width * (image.shape[2] if image.ndim == 3 else 1)
    message.data = _array("B", image, np.uint8)
    return message


def compressed_message(image: NDArray[np.uint8], header: Header) -> CompressedImage:
    """A colour image uint8 [H, W, 3], blue first, as JPEG; the format is as image_transport's.

    Raises:
        cv2.error: when a side is longer than JPEG allows, 65535 px.
    """
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    message = CompressedImage(header=header, format="bgr8; jpeg compressed bgr8")
    message.data = _array("B", jpeg, np.uint8)
    return message


def _array(code: str, values: NDArray, dtype: type[np.generic]) -> array.array:
    """Values as the ``array.array`` that message fields take without checking each element."""
    result = array.array(code)
    flat = np.ascontiguousarray(values, dtype).reshape(-1)
    if flat.size:  # there is no memory to look at in an empty array
        result.frombytes(memoryview(flat).cast("B"))
    return result
