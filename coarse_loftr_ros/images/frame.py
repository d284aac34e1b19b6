"""The image that travels through the matcher, and the camera that took it.

Pixel convention of the whole package: x right, y down, the origin at the CENTRE of the
top-left pixel, in pixels of the image as received.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame", "Intrinsics"]


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole intrinsics of an image without distortion, in pixels.

    ``cx`` and ``cy`` follow the package's pixel convention (centre of the first pixel is 0).
    """

    fx: float
    fy: float
    cx: float
    cy: float

    def matrix(self) -> NDArray[np.float64]:
        """The 3x3 camera matrix K."""
        return np.array(
            [[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]], dtype=np.float64
        )


@dataclass(frozen=True, eq=False)
class Frame:
    """One grey image with its time and origin.

    Attributes:
        image: grey levels, uint8 [H, W].
        stamp: capture time, integer nanoseconds.
        frame_id: name of the camera's coordinate frame.
        encoding: how the camera sent the image (a change of it resets the reference).
        intrinsics: camera intrinsics where they are known.
        mask: uint8 [H, W], non-zero where matches are wanted; ``None`` means everywhere.

    Raises:
        ValueError: when ``image`` is not uint8 with two non-empty dimensions, or the mask does
            not fit it.
    """

    image: NDArray[np.uint8]
    stamp: int = 0
    frame_id: str = ""
    encoding: str = "mono8"
    intrinsics: Intrinsics | None = None
    mask: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.image.dtype != np.uint8 or self.image.ndim != 2 or 0 in self.image.shape:
            raise ValueError(
                f"frame image has dtype {self.image.dtype} and shape {self.image.shape}; "
                "it must be uint8 [height, width] with neither of them zero"
            )
        if self.mask is not None and (
            self.mask.shape != self.image.shape or self.mask.dtype != np.uint8
        ):
            raise ValueError(
                f"frame mask has dtype {self.mask.dtype} and shape {self.mask.shape}; "
                f"it must be uint8 {self.image.shape} like the image"
            )

    @property
    def width(self) -> int:
        """Columns of the image."""
        return self.image.shape[1]

    @property
    def height(self) -> int:
        """Rows of the image."""
        return self.image.shape[0]
