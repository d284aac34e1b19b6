"""The package's own matcher among the methods that are measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.evaluation.pair_matcher import PointMatches
from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.pipeline import Pipeline

__all__ = ["OwnMatcher"]


class OwnMatcher:
    """The pipeline that the node runs, on pairs.

    Args:
        pipeline: as the node would have it.
        name: for tables.
    """

    def __init__(self, pipeline: Pipeline, name: str) -> None:
        self.name = name
        self._pipeline = pipeline

    def describe(self, image: NDArray[np.uint8]) -> Frame:
        """The image as a frame; the pipeline encodes it together with its partner."""
        return Frame(image)

    def match(self, reference: Frame, current: Frame) -> PointMatches:
        """Match two frames of any sizes."""
        found = self._pipeline.process_pair(reference, current).correspondences
        return PointMatches(found.reference_points, found.current_points, found.confidence)
