"""ORB (Rublee et al. 2011) with mutual nearest neighbours, from OpenCV."""

from __future__ import annotations

import cv2

from coarse_loftr_ros.features.ratio_matching import RatioMatcher

__all__ = ["Orb"]


class Orb(RatioMatcher):
    """ORB keypoints, Hamming distance, mutual nearest neighbours.

    With 1000 features instead of 2000 it is less accurate (AUC@1 px of moderate random homographies
    33 per cent instead of 44). The ratio is what ``evaluate tune`` found best.

    Args:
        features: at most this many keypoints per image.
        ratio: a match is kept when it is this much nearer than the second nearest; 1 keeps all.
    """

    def __init__(self, features: int = 2000, ratio: float = 0.95) -> None:
        super().__init__("ORB", cv2.ORB_create(features), features, cv2.NORM_HAMMING, ratio)
