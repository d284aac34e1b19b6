"""A frame with its network image, its features and the images on which points are aligned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.images.preprocessing import ImageMap, NetworkSize, network_size, scaling
from coarse_loftr_ros.matching.keypoints import Keypoints, find_keypoints
from coarse_loftr_ros.matching.matcher import Features, Matcher
from coarse_loftr_ros.matching.viewpoint import render_view, zoom

__all__ = ["FINE_ZOOM", "Detail", "EncodedFrame"]

FINE_ZOOM = 1.4
"""Zoom of one view to another from which all pixels of both images are used: the farther one has
few for what the nearer one shows, and averaging them for less noise costs more than it brings."""

# A detail image must be this much larger than the network image to be worth aligning on: below,
# the network image's averaged noise counts for more than the finer pixels.
_DETAIL_GAIN = 1.5
# Of the image in which keypoints are looked for: more cost time and find no other views.
_KEYPOINT_PIXELS = 320 * 240


@dataclass(frozen=True, eq=False)
class Detail:
    """An image on which points are aligned.

    Attributes:
        map: from the frame to it.
        image: uint8 [H, W].
    """

    map: ImageMap
    image: NDArray[np.uint8]


@dataclass(eq=False)
class EncodedFrame:
    """A frame, prepared for a matcher; its features are made when they are first needed.

    Attributes:
        frame: as received.
        map: from the frame to the network image.
        image: uint8 [H, W], the network image.
        detail_pixels: that an image to align on has at most, about.
    """

    frame: Frame
    map: ImageMap
    image: NDArray[np.uint8]
    detail_pixels: int
    _features: Features | None = None
    _encoder: Matcher | None = None

    @classmethod
    def prepare(
        cls, frame: Frame, size: NetworkSize, canvas: NetworkSize, detail_pixels: int
    ) -> EncodedFrame:
        """Reduce a frame to its network image.

        Args:
            frame: as received.
            size: at which the network sees it.
            canvas: to which the network image is padded.
            detail_pixels: see the attribute.
        """
        image_map = ImageMap(frame.width, frame.height, canvas, size)
        return cls(frame, image_map, image_map.prepare(frame.image), detail_pixels)

    def features(self, matcher: Matcher) -> Features:
        """Encoded once; once more for another matcher, whose backend cannot read them."""
        if self._features is None or self._encoder is not matcher:
            self._features, self._encoder = matcher.encode(self.image), matcher
        return self._features

    @cached_property
    def detail(self) -> Detail:
        """What points are aligned on: the network image where a finer one is hardly larger."""
        size = self.map.content
        if self._fine_size.width >= _DETAIL_GAIN * size.width:
            return self.fine_detail
        image = self.image[: size.height, : size.width]
        return Detail(ImageMap(self.frame.width, self.frame.height, size), image)

    @cached_property
    def fine_detail(self) -> Detail:
        """The frame reduced to ``detail_pixels``, or as it is where it has no more."""
        detail_map = ImageMap(self.frame.width, self.frame.height, self._fine_size)
        return Detail(detail_map, detail_map.prepare(self.frame.image))

    @cached_property
    def keypoints(self) -> Keypoints:
        """In pixels of the frame as received; needed only where a pair does not match."""
        frame = self.frame
        size = network_size(frame.width, frame.height, _KEYPOINT_PIXELS, 1)
        reduced = ImageMap(frame.width, frame.height, size).prepare(frame.image)
        return find_keypoints(reduced, frame.width / size.width)

    def rendered(self, view: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The frame from another viewpoint, as a network image.

        Args:
            view: homography from the result's pixels to network pixels.
        """
        enlarged = zoom(view, self.map.network) * FINE_ZOOM < 1
        detail = self.fine_detail if enlarged else self.detail
        return render_view(detail.image, self.to(detail) @ view, self.map.network)

    def to(self, detail: Detail) -> NDArray[np.float64]:
        """The map from network pixels to pixels of a detail image, float64 [3, 3]."""
        return scaling(detail.map.scale / self.map.scale)

    def in_detail(self, points: NDArray[np.float32], detail: Detail) -> NDArray[np.float32]:
        """Network points [N, 2] in pixels of a detail image."""
        scale = (detail.map.scale / self.map.scale).astype(np.float32)
        return points if (scale == 1).all() else (points + 0.5) * scale - 0.5

    def scale_of(self, detail: Detail) -> float:
        """Pixels of a detail image per network pixel."""
        return float((detail.map.scale / self.map.scale).max())

    @property
    def _fine_size(self) -> NetworkSize:
        return network_size(self.frame.width, self.frame.height, self.detail_pixels, 1)
