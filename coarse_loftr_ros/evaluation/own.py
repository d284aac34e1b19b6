"""The package's own matcher among the methods that are measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.evaluation.pair_matcher import PointMatches
from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.pairing import Consecutive
from coarse_loftr_ros.pipeline import MatchSettings, Pipeline, PipelineSettings

__all__ = ["OwnMatcher"]


class OwnMatcher:
    """The pipeline that the node runs, on pairs.

    Args:
        pipeline: runtime and model.
        match: thresholds and refinement.
        name: for tables; the model's name unless told otherwise.

    Raises:
        BackendError: when the runtime or the model cannot be used.
    """

    def __init__(
        self,
        pipeline: PipelineSettings | None = None,
        match: MatchSettings | None = None,
        name: str = "",
    ) -> None:
        settings = pipeline or PipelineSettings()
        self.name = name or settings.model.name
        self._pipeline = Pipeline(settings, match or MatchSettings(), Consecutive())

    def describe(self, image: NDArray[np.uint8]) -> Frame:
        """The image as a frame; the pipeline encodes it together with its partner."""
        return Frame(image)

    def match(self, reference: Frame, current: Frame) -> PointMatches:
        """Match two frames; where their sizes differ, both are padded to a common one."""
        size = np.maximum(reference.image.shape, current.image.shape)
        result = self._pipeline.process_pair(_padded(reference, *size), _padded(current, *size))
        found = result.correspondences
        return PointMatches(found.reference_points, found.current_points, found.confidence)


def _padded(frame: Frame, height: int, width: int) -> Frame:
    """The frame with black to its right and below, masked there; the same when it has the size."""
    if frame.image.shape == (height, width):
        return frame
    wanted = ((0, height - frame.height), (0, width - frame.width))
    mask = np.pad(np.full_like(frame.image, 255), wanted)
    return Frame(np.pad(frame.image, wanted), mask=mask)
