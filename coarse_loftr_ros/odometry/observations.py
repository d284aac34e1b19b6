"""Input of odometry: temporal matches, stereo matches, and the cameras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.calibration import rows_differ
from coarse_loftr_ros.images.frame import Intrinsics

__all__ = ["StereoMatches", "StereoRig", "TemporalMatches"]


@dataclass(frozen=True, eq=False)
class TemporalMatches:
    """Points of a reference image and where they are in the current image.

    Points are (x, y) in pixels of the image as received (rectified), x right, y down, the origin
    at the centre of the top-left pixel.

    Attributes:
        reference_stamp: capture time of the reference image, integer nanoseconds.
        stamp: capture time of the current image, integer nanoseconds.
        reference_points: float32 [N, 2].
        current_points: float32 [N, 2].
        confidence: float32 [N] in [0, 1].
        track_id: uint32 [N]; the same id is the same reference point while the reference stays.
        width: of the images, px.
        height: of the images, px.

    Raises:
        ValueError: when shapes do not fit each other, a number is not finite, or the image is
            empty.
    """

    reference_stamp: int
    stamp: int
    reference_points: NDArray[np.float32]
    current_points: NDArray[np.float32]
    confidence: NDArray[np.float32]
    track_id: NDArray[np.uint32]
    width: int
    height: int

    def __post_init__(self) -> None:
        _check_matches(
            "temporal matches",
            {"reference_points": self.reference_points, "current_points": self.current_points},
            self.confidence,
            self.track_id,
        )
        if self.width < 1 or self.height < 1:
            raise ValueError(f"image is {self.width}x{self.height}; it must not be empty")

    def __len__(self) -> int:
        return len(self.track_id)


@dataclass(frozen=True, eq=False)
class StereoMatches:
    """Points of the left image and where they are in the right image of the same time.

    Attributes:
        stamp: capture time of the left image, integer nanoseconds.
        left_points: float32 [N, 2], px of the rectified left image.
        right_points: float32 [N, 2], px of the rectified right image.
        confidence: float32 [N] in [0, 1].
        track_id: uint32 [N]: the ids of the temporal matches whose ``reference_stamp`` is this
            stamp; there they have the same left pixel.

    Raises:
        ValueError: when shapes do not fit each other or a number is not finite.
    """

    stamp: int
    left_points: NDArray[np.float32]
    right_points: NDArray[np.float32]
    confidence: NDArray[np.float32]
    track_id: NDArray[np.uint32]

    def __post_init__(self) -> None:
        _check_matches(
            "stereo matches",
            {"left_points": self.left_points, "right_points": self.right_points},
            self.confidence,
            self.track_id,
        )

    def __len__(self) -> int:
        return len(self.track_id)


@dataclass(frozen=True)
class StereoRig:
    """Two rectified cameras side by side.

    Attributes:
        left: intrinsics of the rectified left image.
        right: intrinsics of the rectified right image.
        baseline_m: distance of the right camera from the left one along +x, metres.

    Raises:
        ValueError: when the baseline is not positive, or rows do not correspond
            (``calibration.rows_differ``).
    """

    left: Intrinsics
    right: Intrinsics
    baseline_m: float

    def __post_init__(self) -> None:
        if not 0.0 < self.baseline_m < np.inf:
            raise ValueError(
                f"baseline_m is {self.baseline_m}; it must be positive: left and right are "
                "swapped, or P[3] of the right camera (minus fx times the baseline) has the wrong "
                "sign"
            )
        for camera in (self.left, self.right):
            check_intrinsics(camera)
        different = rows_differ(self.left, self.right)
        if different:
            raise ValueError(different)

    @property
    def depth_factor(self) -> float:
        """Depth times disparity, metres times px."""
        return self.left.fx * self.baseline_m

    def disparity(self, stereo: StereoMatches) -> NDArray[np.float64]:
        """Disparity [N] in px; 0 is infinitely far, whatever the principal points are."""
        shift = stereo.left_points[:, 0].astype(np.float64) - stereo.right_points[:, 0]
        return shift - (self.left.cx - self.right.cx)


def check_intrinsics(intrinsics: Intrinsics) -> None:
    """Refuse a camera that cannot be.

    Raises:
        ValueError: when a number is not finite or a focal length is not positive.
    """
    for name in ("fx", "fy", "cx", "cy"):
        value = getattr(intrinsics, name)
        if not np.isfinite(value) or (name[0] == "f" and value <= 0):
            allowed = "positive" if name[0] == "f" else "finite"
            raise ValueError(f"{name} is {value}; it must be {allowed}")


def _check_matches(
    name: str,
    points: dict[str, NDArray[np.float32]],
    confidence: NDArray[np.float32],
    track_id: NDArray[np.uint32],
) -> None:
    count = len(track_id)
    for field, array in points.items():
        if array.shape != (count, 2):
            raise ValueError(f"{name}: {field} has shape {array.shape}; it must be ({count}, 2)")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: {field} has numbers that are not finite")
    if track_id.shape != (count,) or confidence.shape != (count,):
        raise ValueError(
            f"{name}: confidence has shape {confidence.shape} and track_id {track_id.shape}; "
            f"both must be ({count},)"
        )
