"""A frame with its network image, its features and the image on which points are aligned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.matcher import Features, Matcher
from coarse_loftr_ros.preprocessing import ImageMap, NetworkSize, network_size

__all__ = ["EncodedFrame"]

# A detail image must be this much larger than the network image to be worth aligning on: below,
# the network image's averaged noise counts for more than the finer pixels.
_DETAIL_GAIN = 1.5


@dataclass(eq=False)
class EncodedFrame:
    """A frame, prepared for a matcher; its features are made when they are first needed.

    Attributes:
        frame: as received.
        map: from the frame to the network image.
        image: uint8 [H, W], the network image.
        detail_map: from the frame to the detail image.
        detail: uint8 [H, W], the image on which points are aligned.
    """

    frame: Frame
    map: ImageMap
    image: NDArray[np.uint8]
    detail_map: ImageMap
    detail: NDArray[np.uint8]
    _features: Features | None = None
    _encoder: Matcher | None = None

    @classmethod
    def prepare(
        cls, frame: Frame, size: NetworkSize, canvas: NetworkSize, detail_pixels: int
    ) -> EncodedFrame:
        """Reduce a frame to its network image and its detail image.

        Args:
            frame: as received.
            size: at which the network sees it.
            canvas: to which the network image is padded.
            detail_pixels: of the detail image, about; where that is hardly more than the network
                image has, the network image serves.
        """
        image_map = ImageMap(frame.width, frame.height, canvas, size)
        image = image_map.prepare(frame.image)
        detail_size = network_size(frame.width, frame.height, detail_pixels, 1)
        if detail_size.width < _DETAIL_GAIN * size.width:
            detail_map = ImageMap(frame.width, frame.height, size)
            detail = image[: size.height, : size.width]
        else:
            detail_map = ImageMap(frame.width, frame.height, detail_size)
            detail = detail_map.prepare(frame.image)
        return cls(frame, image_map, image, detail_map, detail)

    def features(self, matcher: Matcher) -> Features:
        """Encoded once; once more for another matcher, whose backend cannot read them."""
        if self._features is None or self._encoder is not matcher:
            self._features, self._encoder = matcher.encode(self.image), matcher
        return self._features

    @property
    def to_detail(self) -> NDArray[np.float64]:
        """The map from network pixels to pixels of the detail image, float64 [3, 3]."""
        return self.detail_map.matrix @ np.linalg.inv(self.map.matrix)

    @property
    def detail_scale(self) -> float:
        """Detail pixels per network pixel."""
        return float((self.detail_map.scale / self.map.scale).max())
