"""What a matching method must offer to be measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairMatcher", "PointMatches"]


@dataclass(frozen=True, eq=False)
class PointMatches:
    """Matched points of two images.

    Attributes:
        reference_points: float32 [N, 2], (x, y) in px of the reference image as given; the centre
            of the top-left pixel is (0, 0).
        current_points: float32 [N, 2], likewise in the current image.
        confidence: float32 [N], larger is better; its scale is the method's own.
    """

    reference_points: NDArray[np.float32]
    current_points: NDArray[np.float32]
    confidence: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.confidence)

    def surer_than(self, confidence: float) -> PointMatches:
        """The matches of at least this confidence."""
        kept = self.confidence >= confidence
        return PointMatches(
            self.reference_points[kept], self.current_points[kept], self.confidence[kept]
        )

    @classmethod
    def none(cls) -> PointMatches:
        """No match at all."""
        points = np.zeros((0, 2), np.float32)
        return cls(points, points.copy(), np.zeros(0, np.float32))


class PairMatcher(Protocol):
    """A method in two steps, so that a sequence describes each of its images once.

    A method that can only look at both images together does its work in :meth:`match`.
    """

    @property
    def name(self) -> str:
        """Name for tables; unique among the methods of one report."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its matches depend on besides the images and OpenCV, as JSON can hold it."""
        ...

    def describe(self, image: NDArray[np.uint8]) -> Any:
        """What :meth:`match` needs of one grey image, uint8 [H, W]. The image is not changed."""
        ...

    def match(self, reference: Any, current: Any) -> PointMatches:
        """Match two described images."""
        ...
