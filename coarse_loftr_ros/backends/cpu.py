"""What the runtimes on a CPU share: the image made float, and the decoding in NumPy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import CellMatches, ModelFiles
from coarse_loftr_ros.backends.decoding import CellDecoder, CoarseMatches
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["CpuBackend", "CpuFeatures"]


@dataclass(frozen=True, eq=False)
class CpuFeatures:
    """Features of one image.

    Attributes:
        tokens: float32 [1, L, C], coarse.
        fine: float32 [H / fine_stride + 8, W / fine_stride + 8, F], unit length per pixel, framed
            by zeros, see ``with_border``.
    """

    tokens: NDArray[np.float32]
    fine: NDArray[np.float32]


class CpuBackend(ABC):
    """A ``Backend`` whose runtime computes with arrays of NumPy.

    Args:
        model: the exported model.
        size: network size to load it for.

    Raises:
        BackendError: when the size does not fit the model.
    """

    failure = ""

    def __init__(self, model: ModelFiles, size: NetworkSize) -> None:
        model.check_size(size)
        self.size = size
        self._image = np.empty((1, 1, size.height, size.width), np.float32)
        self._decoder = CellDecoder(model, size)
        # The runtime's objects for the two graphs, with all of its memory and threads.
        self._encode: Any = None
        self._match: Any = None

    def encode(self, image: NDArray[np.uint8]) -> CpuFeatures:
        """See ``Backend.encode``."""
        np.multiply(image, np.float32(1 / 255), out=self._image[0, 0])
        return self._run_encode(self._image)

    def match(
        self,
        reference: CpuFeatures,
        current: CpuFeatures,
        corners: Callable[[], NDArray[np.float32]],
        threshold: float,
        limit: int,
    ) -> CellMatches:
        """See ``Backend.match``."""
        self._begin(reference, current)
        # Points to look for are found while the runtime's threads are at work.
        points = corners()
        fine = reference.fine, current.fine
        return self._decoder.decode(self._compared(), *fine, points, threshold, limit)

    def compare(self, reference: CpuFeatures, current: CpuFeatures) -> CoarseMatches:
        """All pairs of coarse cells; the arrays are valid until the next call."""
        self._begin(reference, current)
        return self._compared()

    @abstractmethod
    def _begin(self, reference: CpuFeatures, current: CpuFeatures) -> None:
        """Begin to compare two images, in the background where the runtime can."""

    @abstractmethod
    def _compared(self) -> CoarseMatches:
        """The pairs of coarse cells of the images that ``_begin`` was given."""

    def close(self) -> None:
        """See ``Backend.close``; the runtimes give everything back with their last object."""
        self._encode = self._match = None

    @abstractmethod
    def _run_encode(self, image: NDArray[np.float32]) -> CpuFeatures:
        """Features of an image float32 [1, 1, H, W] in [0, 1]."""

    def _warm_up(self) -> None:
        """The first run of a runtime allocates and tunes."""
        blank: Any = self._run_encode(np.zeros_like(self._image))
        self.compare(blank, blank)
