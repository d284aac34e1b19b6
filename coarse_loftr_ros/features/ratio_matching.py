"""Brute-force matching of keypoint descriptors: mutual nearest neighbours, Lowe's ratio test."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.files.digest import files_digest

__all__ = ["DescribedKeypoints", "RatioMatcher", "match_ratio"]


@dataclass(frozen=True, eq=False)
class DescribedKeypoints:
    """Keypoints of one image.

    Attributes:
        points: float32 [N, 2], px.
        descriptors: [N, D], float32 or uint8.
    """

    points: NDArray[np.float32]
    descriptors: NDArray

    @classmethod
    def of(
        cls, keypoints: Sequence[cv2.KeyPoint], descriptors: NDArray | None
    ) -> DescribedKeypoints:
        """From OpenCV's answer, which has no descriptors where it found no keypoint."""
        if descriptors is None:
            return cls(np.zeros((0, 2), np.float32), np.zeros((0, 1), np.float32))
        return cls(cv2.KeyPoint_convert(keypoints).astype(np.float32), descriptors)


class RatioMatcher:
    """A method of OpenCV with this matching; a ``PairMatcher``.

    Args:
        method: its name.
        detector: finds and describes keypoints.
        features: at most this many keypoints per image.
        norm: OpenCV's number of the distance between descriptors.
        ratio: a match is kept when it is this much nearer than the second nearest; 1 keeps all.
    """

    def __init__(
        self, method: str, detector: cv2.Feature2D, features: int, norm: int, ratio: float
    ) -> None:
        self.name = f"{method} {features}"
        self.settings = {
            "method": method,
            "features": features,
            "ratio": ratio,
            "code": files_digest([inspect.getfile(type(self)), __file__]),
        }
        self._detector = detector
        self._norm = norm
        self._ratio = ratio

    def describe(self, image: NDArray[np.uint8]) -> DescribedKeypoints:
        """Keypoints and their descriptors."""
        return DescribedKeypoints.of(*self._detector.detectAndCompute(image, None))

    def match(self, reference: DescribedKeypoints, current: DescribedKeypoints) -> PointMatches:
        """Mutual nearest neighbours that pass the ratio test."""
        return match_ratio(reference, current, self._norm, self._ratio)


def match_ratio(
    reference: DescribedKeypoints, current: DescribedKeypoints, norm: int, ratio: float
) -> PointMatches:
    """Match keypoints that are each other's nearest and clearly nearer than the second nearest.

    Args:
        reference: described keypoints of the reference image.
        current: of the current image.
        norm: OpenCV's number of the distance between descriptors.
        ratio: largest ratio of nearest to second nearest distance; 1 switches the test off.

    Returns:
        Matches whose confidence is one minus their ratio.
    """
    if min(len(reference.points), len(current.points)) < 2:
        return PointMatches.none()
    matcher = cv2.BFMatcher(norm)
    forward = matcher.knnMatch(reference.descriptors, current.descriptors, k=2)
    backward = matcher.match(current.descriptors, reference.descriptors)
    nearest = np.array(
        [[best.trainIdx, best.distance, second.distance] for best, second in forward]
    )
    reference_of_current = np.array([match.trainIdx for match in backward])
    rows = np.arange(len(nearest))
    columns = nearest[:, 0].astype(np.intp)
    ratios = nearest[:, 1] / np.maximum(nearest[:, 2], 1e-9)
    kept = (reference_of_current[columns] == rows) & (ratios <= ratio)
    return PointMatches(
        reference.points[rows[kept]],
        current.points[columns[kept]],
        (1.0 - ratios[kept]).astype(np.float32),
    )
