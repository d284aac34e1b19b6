"""What every layout of posed images offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["DatasetLayout", "PosedCamera"]


@dataclass(frozen=True, eq=False)
class PosedCamera:
    """Where an image was taken from.

    Attributes:
        intrinsics: float64 [3, 3], px, with the centre of the top-left pixel at the origin.
        pose: float64 [4, 4], world to camera.
    """

    intrinsics: NDArray[np.float64]
    pose: NDArray[np.float64]


class DatasetLayout(Protocol):
    """A data set on disk: images by number."""

    def __len__(self) -> int:
        """Number of images."""

    def image(self, number: int) -> NDArray[np.uint8]:
        """Grey levels uint8 [H, W]."""

    def depth(self, number: int) -> NDArray[np.float32] | None:
        """Distance along the optical axis float32 [H, W], 0 where unknown; ``None``: no truth."""

    def camera(self, number: int) -> PosedCamera:
        """Of the image as it is on disk."""

    def partners(self, number: int) -> Sequence[int]:
        """Images that may show the same, in any order."""
