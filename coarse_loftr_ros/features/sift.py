"""SIFT (Lowe 2004) with mutual nearest neighbours and ratio test, from OpenCV."""

from __future__ import annotations

import inspect

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.features.ratio_matching import DescribedKeypoints, match_ratio
from coarse_loftr_ros.files.digest import files_digest

__all__ = ["Sift"]


class Sift:
    """SIFT keypoints, L2 distance, mutual nearest neighbours with Lowe's ratio.

    OpenCV's precise doubling of the image is on: without it every point is 0.25 px off, which a
    change of scale turns into an error. Its effect on the figures is within their intervals
    (AUC@1/@3/@5 px 59/82/88 without, 60/82/88 with it on 80 moderate random homographies). The
    ratio is what ``evaluate tune`` found best.

    Args:
        features: at most this many keypoints per image.
        ratio: a match is kept when it is this much nearer than the second nearest; 1 keeps all.
    """

    def __init__(self, features: int = 2048, ratio: float = 0.85) -> None:
        self.name = f"SIFT {features}"
        self.settings = {
            "method": "SIFT",
            "features": features,
            "ratio": ratio,
            "code": files_digest([__file__, inspect.getfile(match_ratio)]),
        }
        self._ratio = ratio
        try:
            self._detector = cv2.SIFT_create(nfeatures=features, enable_precise_upscale=True)
        except cv2.error:  # unknown before OpenCV 4.8
            self._detector = cv2.SIFT_create(nfeatures=features)

    def describe(self, image: NDArray[np.uint8]) -> DescribedKeypoints:
        """Keypoints and their 128-element descriptors."""
        keypoints, descriptors = self._detector.detectAndCompute(image, None)
        return DescribedKeypoints.of(keypoints, descriptors)

    def match(self, reference: DescribedKeypoints, current: DescribedKeypoints) -> PointMatches:
        """Mutual nearest neighbours that pass the ratio test."""
        return match_ratio(reference, current, cv2.NORM_L2, self._ratio)
