"""Encode images and match them: from a pair of feature sets to point matches.

Everything here is in pixels of the network image; the pipeline maps points to the image as
received.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import Backend, EncodedImage, ModelFiles
from coarse_loftr_ros.matching.corners import CellCorners, CornerFinder

__all__ = ["Features", "Matcher", "NetworkMatches"]


@dataclass(eq=False)
class Features:
    """One encoded network image.

    Attributes:
        image: uint8 [H, W], the network image.
        encoded: what the backend made of it.
        finder: of its corners.
    """

    image: NDArray[np.uint8]
    encoded: EncodedImage
    finder: CornerFinder
    _corners: CellCorners | Future[CellCorners] | None = None

    @property
    def corners(self) -> CellCorners:
        """The points of each cell that are looked for; needed for references only."""
        if self._corners is None:
            self._corners = self.finder.find(self.image)
        elif isinstance(self._corners, Future):
            self._corners = self._corners.result()
        return self._corners

    def begin_corners(self, executor: Executor) -> None:
        """Look for the corners in another thread, where one can be had."""
        if self._corners is None:
            # Not of an executor any more when the main thread has ended and others go on.
            with suppress(RuntimeError):
                self._corners = executor.submit(self.finder.find, self.image)


@dataclass(frozen=True, eq=False)
class NetworkMatches:
    """Matches of two network images.

    Attributes:
        reference: float32 [N, 2], px of the reference network image.
        current: float32 [N, 2], px of the current network image.
        confidence: float32 [N] in [0, 1].
        point: int64 [N], number of the reference's point, each at most once: the coarse cell for
            its first corner, the number of all cells more for its second.
    """

    reference: NDArray[np.float32]
    current: NDArray[np.float32]
    confidence: NDArray[np.float32]
    point: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.confidence)

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> NetworkMatches:
        """A part of the matches, by mask or index."""
        return NetworkMatches(
            self.reference[which], self.current[which], self.confidence[which], self.point[which]
        )


class Matcher:
    """Encodes network images and matches them in pairs.

    Args:
        model: the exported model.
        backend: a runtime that has loaded it for one network size.
        parallel: whether a thread of its own may find corners.
    """

    def __init__(self, model: ModelFiles, backend: Backend, parallel: bool = True) -> None:
        self.model = model
        self.backend = backend
        self._finder = CornerFinder(backend.size, model.coarse_stride)
        self._executor = ThreadPoolExecutor(1, "corners") if parallel else None
        self._raw, self._right = np.array(model.calibration).T

    def encode(self, image: NDArray[np.uint8]) -> Features:
        """Features of a network image uint8 [H, W] of exactly the backend's size.

        Raises:
            ValueError: when it has another size.
        """
        size = self.backend.size
        if image.shape != (size.height, size.width):
            raise ValueError(
                f"network image is {image.shape[1]}x{image.shape[0]}; "
                f"the backend is built for {size}"
            )
        return Features(image, self.backend.encode(image), self._finder)

    def begin_corners(self, features: Features) -> None:
        """Look for the corners of a reference to come beside other work, where that may be."""
        if self._executor is not None:
            features.begin_corners(self._executor)

    def match(
        self, reference: Features, current: Features, threshold: float, limit: int
    ) -> NetworkMatches:
        """Mutual best matches of first corners, placed to about a pixel by the fine features.

        Args:
            reference: encoded by this matcher.
            current: encoded by this matcher.
            threshold: least confidence of a match, in [0, 1]; confidences are the model's,
                calibrated to the share of right matches.
            limit: most matches; the most confident are kept.
        """
        raw_threshold = float(np.interp(threshold, self._right, self._raw))
        found = self.backend.match(
            reference.encoded,
            current.encoded,
            lambda: reference.corners.first,
            raw_threshold,
            limit,
        )
        confidence = np.interp(found.confidence, self._raw, self._right).astype(np.float32)
        return NetworkMatches(
            reference.corners.first[found.cell], found.position, confidence, found.cell
        )
