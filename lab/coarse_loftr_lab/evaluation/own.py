"""The package's own matcher among the methods that are measured."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import coarse_loftr_ros
from coarse_loftr_ros.detection.masks import DetectorMasks
from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.files.digest import files_digest
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.result import Status

__all__ = ["OwnMatcher"]

_PACKAGE = Path(coarse_loftr_ros.__file__).parent


class OwnMatcher:
    """The pipeline that the node runs, on pairs.

    Args:
        pipeline: as the node would have it.
        name: for tables.
        masks: of each image; without them matches may lie anywhere.
        inliers: whether only matches count that agree with the pipeline's own homography, as
            those marked ``inlier`` in its messages do.

    Attributes:
        pipeline: whose settings may be changed before the first pair.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        name: str,
        masks: DetectorMasks | None = None,
        inliers: bool = False,
    ) -> None:
        self.name = name
        self.pipeline = pipeline
        self._masks = masks
        self._inliers = inliers

    @property
    def settings(self) -> dict[str, Any]:
        """The pipeline's settings and model, its runtime, and the code that it runs.

        Where files lie and how many threads work changes no match.
        """
        pipeline = asdict(self.pipeline.settings)
        del pipeline["threads"], pipeline["engines"]
        model = pipeline.pop("model")
        pipeline["precision"] = self.pipeline.backend.precision  # what auto came to
        packages = ("images", "backends", "matching")
        code = sorted(file for name in packages for file in _PACKAGE.glob(f"{name}/*.py"))
        return {
            "pipeline": pipeline,
            "model": {name: fact for name, fact in model.items() if not isinstance(fact, Path)},
            "match": asdict(self.pipeline.match_settings),
            "runtime": self.pipeline.backend.description.split(",")[0],
            "code": files_digest(code),
            **({} if self._masks is None else {"masks": self._masks.settings}),
            **({"inliers": True} if self._inliers else {}),
        }

    def describe(self, image: NDArray[np.uint8]) -> Frame:
        """The image as a frame; the pipeline encodes it together with its partner."""
        return Frame(image, mask=None if self._masks is None else self._masks.mask(image))

    def match(self, reference: Frame, current: Frame) -> PointMatches:
        """Match two frames of any sizes."""
        found = self.pipeline.process_pair(reference, current).correspondences
        kept = found.inlier if self._inliers else slice(None)
        return PointMatches(
            found.reference_points[kept], found.current_points[kept], found.confidence[kept]
        )

    def status(self, reference: Frame, current: Frame) -> Status:
        """How far the homography between two frames is to be trusted."""
        return self.pipeline.process_pair(reference, current).homography.status
