"""AKAZE (Alcantarilla et al. 2013) with mutual nearest neighbours, from OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.features.ratio_matching import DescribedKeypoints, RatioMatcher

__all__ = ["Akaze", "akaze_is_available"]

FEATURES = 2048


def akaze_is_available() -> bool:
    """Whether this OpenCV has AKAZE: since version 5 only builds with the extra modules do."""
    return hasattr(cv2, "AKAZE_create") or hasattr(cv2, "xfeatures2d")


class Akaze(RatioMatcher):
    """AKAZE keypoints (the strongest 2048), Hamming distance, mutual nearest neighbours.

    The ratio is what ``evaluate tune`` found best.

    Args:
        ratio: a match is kept when it is this much nearer than the second nearest; 1 keeps all.
    """

    def __init__(self, ratio: float = 0.65) -> None:
        module = cv2 if hasattr(cv2, "AKAZE_create") else cv2.xfeatures2d
        super().__init__("AKAZE", module.AKAZE_create(), FEATURES, cv2.NORM_HAMMING, ratio)

    def describe(self, image: NDArray[np.uint8]) -> DescribedKeypoints:
        """Keypoints and their 486-bit descriptors."""
        keypoints = self._detector.detect(image)
        # Its own limit on the number is younger than the OpenCV of some ROS distributions.
        strongest = sorted(keypoints, key=lambda keypoint: -keypoint.response)[:FEATURES]
        return DescribedKeypoints.of(*self._detector.compute(image, strongest))
