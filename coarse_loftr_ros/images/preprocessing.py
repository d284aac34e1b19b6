"""From the image as received to the image that the network sees, and back.

This is the only place where points are scaled. Both sides use the convention that the centre of
the top-left pixel is (0, 0), so a resize by ``s`` maps ``x`` to ``(x + 0.5) * s - 0.5``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["ImageMap", "NetworkSize", "network_size", "scaling"]


@dataclass(frozen=True)
class NetworkSize:
    """Width and height in pixels of the image that the network sees."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def network_size(
    width: int, height: int, pixels: int, multiple: int, most_side: int | None = None
) -> NetworkSize:
    """The size at which the network sees an image.

    Larger images are reduced to about ``pixels`` (smaller ones are not enlarged), so that every
    shape of image costs the same; both sides are rounded to the nearest multiple.

    Args:
        width: of the image, px.
        height: of the image, px.
        pixels: of the result, about.
        multiple: that both sides of the result must have.
        most_side: longest side that the result may have, px, a multiple; ``None`` for any. A
            longer image is reduced further, keeping its shape.
    """
    scale = min(1.0, math.sqrt(pixels / (width * height)))
    if most_side is not None:
        scale = min(scale, most_side / max(width, height))

    def rounded(side: int) -> int:
        return max(multiple, int(side * scale / multiple + 0.5) * multiple)

    return NetworkSize(rounded(width), rounded(height))


def scaling(scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a resize by ``scale``, float64 [2] in x and y, does to points, as a matrix [3, 3]."""
    (x, y), shift = scale, 0.5 * scale - 0.5
    return np.array([[x, 0.0, shift[0]], [0.0, y, shift[1]], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class ImageMap:
    """The resize between an image as received and its network image.

    Attributes:
        width: of the image as received, px.
        height: of the image as received, px.
        network: size of the network image.
        content: the part of the network image, from its top-left corner, that the image fills;
            ``None`` means all of it. The rest repeats the image's border.
    """

    width: int
    height: int
    network: NetworkSize
    content: NetworkSize | None = None

    @property
    def filled(self) -> NetworkSize:
        """The part of the network image, from its top-left corner, that the image fills."""
        return self.content or self.network

    @property
    def scale(self) -> NDArray[np.float64]:
        """Network pixels per image pixel, float64 [2] in x and y."""
        content = self.content or self.network
        return np.array([content.width / self.width, content.height / self.height])

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The map from pixels of the image as received to network pixels, float64 [3, 3]."""
        return scaling(self.scale)

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring a grey image uint8 [height, width] to the network size; no copy when equal."""
        content = self.content or self.network
        if (self.width, self.height) != (content.width, content.height):
            # Averaging areas is five times slower and matters only where pixels would be skipped.
            shrinking = min(self.width / content.width, self.height / content.height) > 1.5
            interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
            size = (content.width, content.height)
            image = cv2.resize(image, size, interpolation=interpolation)
        if content == self.network:
            return image
        below, right = self.network.height - content.height, self.network.width - content.width
        return cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)

    def to_network(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Points [N, 2] of the image as received in network pixels, same dtype."""
        return ((points + 0.5) * self.scale - 0.5).astype(points.dtype, copy=False)

    def to_image(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Network points [N, 2] in pixels of the image as received, same dtype."""
        return ((points + 0.5) / self.scale - 0.5).astype(points.dtype, copy=False)
