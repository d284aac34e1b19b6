"""From image messages to grey images, with NumPy and OpenCV alone where that is possible.

The messages are read by attribute only, so this file needs no ROS. ``cv_bridge`` is asked for
encodings that are not in the table below; builds of it against another NumPy or OpenCV than the
installed one fail, which is why the common encodings do not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.damage import damage

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image

__all__ = [
    "DEPTH16_SCALINGS",
    "ENCODINGS",
    "ImageError",
    "decode_compressed",
    "decode_file",
    "decode_image",
    "scale_to_8_bits",
]

DEPTH16_SCALINGS = ("stretch", "full_range")


class ImageError(ValueError):
    """An image message that cannot be used, in words for the user.

    Attributes:
        kind: a short name of the cause for counting: ``size``, ``step``, ``truncated``,
            ``encoding``, ``compressed``.
    """

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True)
class _Layout:
    """How the pixels of an encoding lie in a row.

    Attributes:
        channels: values per pixel.
        depth: bytes per value.
        to_grey: from uint8 [H, W] or [H, W, channels] to grey uint8 [H, W]; ``None`` when the
            values are grey already.
    """

    channels: int = 1
    depth: int = 1
    to_grey: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None


def _colour(code: int) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _luma(offset: int) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Every second byte, from ``offset``: the Y of packed 4:2:2."""
    return lambda pixels: np.ascontiguousarray(pixels[:, :, offset])


_BGR = _Layout(3, 1, _colour(cv2.COLOR_BGR2GRAY))
_BGRA = _Layout(4, 1, _colour(cv2.COLOR_BGRA2GRAY))
_UYVY = _Layout(2, 1, _luma(1))
_YUYV = _Layout(2, 1, _luma(0))

# OpenCV names a Bayer pattern by its second row and column: its BG is ROS's rggb.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2GRAY,
    "bggr": cv2.COLOR_BayerRG2GRAY,
    "gbrg": cv2.COLOR_BayerGR2GRAY,
    "grbg": cv2.COLOR_BayerGB2GRAY,
}

_LAYOUTS: dict[str, _Layout] = {
    "mono8": _Layout(),
    "8UC1": _Layout(),
    "mono16": _Layout(depth=2),
    "16UC1": _Layout(depth=2),
    "bgr8": _BGR,
    "8UC3": _BGR,  # no colour order is said; blue first is OpenCV's
    "rgb8": _Layout(3, 1, _colour(cv2.COLOR_RGB2GRAY)),
    "bgra8": _BGRA,
    "8UC4": _BGRA,
    "rgba8": _Layout(4, 1, _colour(cv2.COLOR_RGBA2GRAY)),
    "bgr16": _Layout(3, 2, _BGR.to_grey),  # in 8 bits by then
    "rgb16": _Layout(3, 2, _colour(cv2.COLOR_RGB2GRAY)),
    "bgra16": _Layout(4, 2, _BGRA.to_grey),
    "rgba16": _Layout(4, 2, _colour(cv2.COLOR_RGBA2GRAY)),
    "yuv422": _UYVY,  # the older ROS name of uyvy
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": _Layout(),  # the Y plane comes first, and that is all that is read
    "nv21": _Layout(),
    "nv24": _Layout(),
    **{f"bayer_{name}8": _Layout(1, 1, _colour(code)) for name, code in _BAYER.items()},
    **{f"bayer_{name}16": _Layout(1, 2, _colour(code)) for name, code in _BAYER.items()},
}

ENCODINGS = tuple(_LAYOUTS)
"""Encodings that are decoded without cv_bridge."""


def decode_image(message: Image, depth16: str = "stretch") -> NDArray[np.uint8]:
    """Grey levels of a ``sensor_msgs/Image``.

    Padded rows (``step``) and big-endian 16-bit values are understood. mono8 and the planar YUV
    encodings are not copied: the result then shares the message's memory.

    Args:
        message: the image.
        depth16: how 16-bit values become 8-bit ones, see ``scale_to_8_bits``.

    Returns:
        uint8 [height, width].

    Raises:
        ImageError: when the message contradicts itself or its encoding is not known.
    """
    width, height, step = message.width, message.height, message.step
    if width == 0 or height == 0:
        raise ImageError("size", f"image is {width}x{height}; neither side may be zero")
    layout = _LAYOUTS.get(message.encoding)
    if layout is None:
        return _with_cv_bridge(message)
    row = width * layout.channels * layout.depth
    if step < row:
        raise ImageError(
            "step",
            f"image step is {step}; {width} px of {message.encoding} need at least {row} bytes",
        )
    data = np.frombuffer(message.data, np.uint8)
    # The last row need not be padded.
    needed = step * (height - 1) + row
    if data.size < needed:
        raise ImageError(
            "truncated",
            f"image holds {data.size} bytes; {width}x{height} {message.encoding} with step {step} "
            f"needs {needed}",
        )
    rows = np.lib.stride_tricks.as_strided(data, (height, row), (step, 1), writeable=False)
    if layout.depth == 2:
        # A row may start at an odd address; NumPy reads that, OpenCV does not.
        values = np.ascontiguousarray(rows).view(">u2" if message.is_bigendian else "<u2")
        rows = scale_to_8_bits(values, depth16)
    if layout.to_grey is None:
        return rows
    if layout.channels > 1:
        return layout.to_grey(rows.reshape(height, width, layout.channels))
    if min(width, height) < 3:
        raise ImageError(
            "size", f"image is {width}x{height}; a {message.encoding} mosaic needs at least 3x3"
        )
    return layout.to_grey(rows)


def decode_compressed(message: CompressedImage, depth16: str = "stretch") -> NDArray[np.uint8]:
    """Grey levels of a ``sensor_msgs/CompressedImage``: JPEG, PNG or what else OpenCV reads.

    Args:
        message: the image.
        depth16: how 16-bit values (PNG, TIFF) become 8-bit ones, see ``scale_to_8_bits``.

    Returns:
        uint8 [height, width], as stored: an orientation tag is not applied.

    Raises:
        ImageError: when it is empty, broken or cut off.
    """
    data = np.frombuffer(message.data, np.uint8)
    image = decode_file(data, f"compressed image ({message.format!r})")
    return scale_to_8_bits(image, depth16) if image.dtype == np.uint16 else image


def decode_file(
    data: NDArray[np.uint8], name: str, colour: bool = False
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The pixels of an image file: JPEG, PNG or what else OpenCV reads.

    Args:
        data: bytes of the file, uint8 [N].
        name: says in errors which file it is.
        colour: whether three channels are wanted (blue first), or grey levels.

    Returns:
        uint8 or uint16, [H, W] or [H, W, 3], as stored: an orientation tag is not applied.

    Raises:
        ImageError: when it is empty, broken or cut off.
    """
    if data.size == 0:
        raise ImageError("compressed", f"{name} is not an image: it is empty")
    wrong = damage(data.tobytes())
    if wrong:
        raise ImageError("compressed", f"{name} ({data.size} bytes) {wrong}")
    flags = cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
    try:
        image = cv2.imdecode(data, flags | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ImageError("compressed", f"{name} is refused: {error.err}") from error
    if image is None:
        raise ImageError(
            "compressed",
            f"{name} is not an image that OpenCV can decode ({data.size} bytes)",
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageError("compressed", f"{name} holds {image.dtype}; 8 and 16 bits are allowed")
    return image


def scale_to_8_bits(values: NDArray[np.uint16], how: str = "stretch") -> NDArray[np.uint8]:
    """16-bit grey values as 8-bit ones.

    ``stretch`` maps the image's own range to 0..255: 10- and 12-bit cameras send small numbers in
    16 bits, and thermal cameras use a few hundred of their levels; a fixed shift would leave
    them black or flat. The range is that of the 0.1 and 99.9 percentile of a sample, so that a
    few hot pixels do not decide it. The matcher does not depend on absolute brightness.
    ``full_range`` keeps the high byte: the same for every image.

    Args:
        values: uint16 [H, W] in either byte order.
        how: one of ``DEPTH16_SCALINGS``.
    """
    if how == "full_range":
        return (values >> 8).astype(np.uint8)
    stride = max(1, min(values.shape) // 120)
    sample = np.sort(values[::stride, ::stride], axis=None)
    margin = sample.size // 1000
    low, high = int(sample[margin]), int(sample[-1 - margin])
    if high == low:
        low, high = int(sample[0]), max(int(sample[-1]), int(sample[0]) + 1)
    native = np.ascontiguousarray(values, dtype=np.uint16)
    gain = 255.0 / (high - low)
    # Linear with saturation, rounded, in one pass.
    return cv2.convertScaleAbs(np.maximum(native, low), alpha=gain, beta=-low * gain)


def _with_cv_bridge(message: Image) -> NDArray[np.uint8]:
    """Ask cv_bridge for an encoding that is not in the table.

    Raises:
        ImageError: naming the encoding and what is allowed.
    """
    allowed = f"allowed are {', '.join(ENCODINGS)}"
    try:
        from cv_bridge import CvBridge
    except (ImportError, AttributeError, SystemError) as error:
        raise ImageError(
            "encoding",
            f"image encoding '{message.encoding}' is not known, and cv_bridge, which might know "
            f"it, cannot be imported ({error}); {allowed}",
        ) from error
    try:
        image = CvBridge().imgmsg_to_cv2(message, "mono8")
    except (TypeError, ValueError, RuntimeError, AttributeError, cv2.error) as error:
        # CvBridgeError is a TypeError; the others come from messages that contradict themselves.
        raise ImageError(
            "encoding",
            f"image encoding '{message.encoding}' is not known, and cv_bridge refuses it "
            f"({error}); {allowed}",
        ) from error
    return np.ascontiguousarray(image, dtype=np.uint8)
