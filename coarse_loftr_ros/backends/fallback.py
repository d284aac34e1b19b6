"""A backend that another one takes the place of when its device fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import Backend, CellMatches, DeviceError, EncodedImage
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["FallbackBackend"]


@dataclass(eq=False)
class _RemadeFeatures:
    """Features together with the image that they can be made from again.

    Attributes:
        image: uint8 [H, W].
        backend: that made them.
        encoded: what it made.
    """

    image: NDArray[np.uint8]
    backend: Backend
    encoded: EncodedImage


class FallbackBackend:
    """Uses a backend until its device fails, then another one for good.

    Features that were lost with the device are made anew from their images, so whoever uses this
    notices nothing but the time. What the first one failed of stays in ``failure``.

    Args:
        backend: the one to use.
        make_other: makes the other one; slow, called at most once.
        warn: called with a sentence on what happened.
    """

    def __init__(
        self, backend: Backend, make_other: Callable[[], Backend], warn: Callable[[str], None]
    ) -> None:
        self.failure = ""
        self._backend = backend
        self._make_other: Callable[[], Backend] | None = make_other
        self._warn = warn

    @property
    def name(self) -> str:
        """Of the backend in use."""
        return self._backend.name

    @property
    def description(self) -> str:
        """Of the backend in use."""
        return self._backend.description

    @property
    def precision(self) -> str:
        """Of the backend in use."""
        return self._backend.precision

    @property
    def size(self) -> NetworkSize:
        """See ``Backend``."""
        return self._backend.size

    def encode(self, image: NDArray[np.uint8]) -> _RemadeFeatures:
        """See ``Backend.encode``."""
        try:
            encoded = self._backend.encode(image)
        except DeviceError as error:
            self._fall_back(error)
            encoded = self._backend.encode(image)
        return _RemadeFeatures(image, self._backend, encoded)

    def match(
        self,
        reference: _RemadeFeatures,
        current: _RemadeFeatures,
        corners: Callable[[], NDArray[np.float32]],
        threshold: float,
        limit: int,
    ) -> CellMatches:
        """See ``Backend.match``."""
        try:
            encoded = self._encoded(reference), self._encoded(current)
            return self._backend.match(*encoded, corners, threshold, limit)
        except DeviceError as error:
            self._fall_back(error)
            encoded = self._encoded(reference), self._encoded(current)
            return self._backend.match(*encoded, corners, threshold, limit)

    def close(self) -> None:
        """See ``Backend.close``."""
        self._backend.close()

    def _encoded(self, features: _RemadeFeatures) -> EncodedImage:
        """The features as made by the backend in use."""
        if features.backend is not self._backend:
            features.encoded = self._backend.encode(features.image)
            features.backend = self._backend
        return features.encoded

    def _fall_back(self, error: DeviceError) -> None:
        """Put the other backend in the place of the one that failed.

        Raises:
            DeviceError: the error itself, when this is the other one already.
        """
        if self._make_other is None:
            raise error
        failed, make_other = self._backend, self._make_other
        self.failure = f"{failed.name} failed: {error}"
        failed.close()
        self._backend, self._make_other = make_other(), None
        self._warn(f"{self.failure}; going on with {self._backend.description}")
