"""ORB (Rublee et al. 2011) with mutual nearest neighbours, from OpenCV."""

from __future__ import annotations

import inspect

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.features.ratio_matching import DescribedKeypoints, match_ratio
from coarse_loftr_ros.files.digest import files_digest

__all__ = ["Orb"]


class Orb:
    """ORB keypoints, Hamming distance, mutual nearest neighbours.

    With 1000 features instead of 2000 it is less accurate (AUC@1 px of moderate random homographies
    33 per cent instead of 44). The ratio is what ``evaluate tune`` found best.

    Args:
        features: at most this many keypoints per image.
        ratio: a match is kept when it is this much nearer than the second nearest; 1 keeps all.
    """

    def __init__(self, features: int = 2000, ratio: float = 0.95) -> None:
        self.name = f"ORB {features}"
        self.settings = {
            "method": "ORB",
            "features": features,
            "ratio": ratio,
            "code": files_digest([__file__, inspect.getfile(match_ratio)]),
        }
        self._ratio = ratio
        self._detector = cv2.ORB_create(nfeatures=features)

    def describe(self, image: NDArray[np.uint8]) -> DescribedKeypoints:
        """Keypoints and their 256-bit descriptors."""
        keypoints, descriptors = self._detector.detectAndCompute(image, None)
        return DescribedKeypoints.of(keypoints, descriptors)

    def match(self, reference: DescribedKeypoints, current: DescribedKeypoints) -> PointMatches:
        """Mutual nearest neighbours that pass the ratio test."""
        return match_ratio(reference, current, cv2.NORM_HAMMING, self._ratio)
