"""A camera's path in time, and two of them brought together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose

__all__ = ["Trajectory", "associate", "scale_between"]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses in order of time.

    Attributes:
        stamps: int64 [N], integer nanoseconds, rising.
        poses: N poses of the camera's optical frame in one fixed frame.

    Raises:
        ValueError: when the two differ in number, there is none, or stamps do not rise.
    """

    stamps: NDArray[np.int64]
    poses: tuple[Pose, ...]

    def __post_init__(self) -> None:
        if len(self.stamps) != len(self.poses) or not self.poses:
            raise ValueError(
                f"trajectory has {len(self.stamps)} stamps and {len(self.poses)} poses; there must "
                "be as many of both, and at least one"
            )
        steps = np.diff(self.stamps)
        if (steps <= 0).any():
            at = int(np.argmax(steps <= 0)) + 1
            raise ValueError(
                f"stamp {self.stamps[at]} ns of pose {at} is not later than {self.stamps[at - 1]} "
                "ns of the one before"
            )

    @classmethod
    def of(cls, stamps: Sequence[int], poses: Sequence[Pose]) -> Trajectory:
        """From lists."""
        return cls(np.array(stamps, np.int64), tuple(poses))

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Positions, float64 [N, 3]."""
        return np.array([pose.translation for pose in self.poses])

    @property
    def distances(self) -> NDArray[np.float64]:
        """Length of the path from its begin to each pose, float64 [N]."""
        steps = np.linalg.norm(np.diff(self.positions, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    def select(self, index: NDArray[np.int64]) -> Trajectory:
        """The poses of these numbers, which rise."""
        return Trajectory(self.stamps[index], tuple(self.poses[k] for k in index))

    def from_first(self) -> Trajectory:
        """The same path in the frame of its first pose."""
        origin = self.poses[0].inverse
        return Trajectory(self.stamps, tuple(origin @ pose for pose in self.poses))

    def scaled(self, factor: float) -> Trajectory:
        """The same path with every length multiplied."""
        poses = (Pose(pose.rotation, factor * pose.translation) for pose in self.poses)
        return Trajectory(self.stamps, tuple(poses))


def associate(
    estimate: Trajectory, truth: Trajectory, tolerance_ns: int
) -> tuple[Trajectory, Trajectory]:
    """The poses of both that were taken at the same time.

    Args:
        estimate: of which every pose is paired with the truth nearest in time.
        truth: of any rate.
        tolerance_ns: largest difference of the stamps, nanoseconds.

    Returns:
        Parts of both with equally many poses; a true pose serves once.

    Raises:
        ValueError: when fewer than two poses were taken at the same time.
    """
    after = np.clip(np.searchsorted(truth.stamps, estimate.stamps), 1, max(1, len(truth) - 1))
    before = after - 1
    after = np.minimum(after, len(truth) - 1)
    nearer = np.abs(truth.stamps[before] - estimate.stamps) <= np.abs(
        truth.stamps[after] - estimate.stamps
    )
    nearest = np.where(nearer, before, after)
    good = np.abs(truth.stamps[nearest] - estimate.stamps) <= tolerance_ns
    kept = np.flatnonzero(good)
    partner, first = np.unique(nearest[kept], return_index=True)
    if len(partner) < 2:
        raise ValueError(
            f"{len(partner)} of {len(estimate)} poses have a true one within "
            f"{tolerance_ns / 1e6:g} ms; at least 2 are needed (estimate: "
            f"{_span(estimate)}; truth: {_span(truth)})"
        )
    return estimate.select(kept[first]), truth.select(partner)


def scale_between(estimate: Trajectory, truth: Trajectory) -> float:
    """The factor that makes an estimate as long as the truth; 1 when it does not move.

    Args:
        estimate: as many poses as ``truth``.
        truth: taken at the same times.
    """
    length = float(estimate.distances[-1])
    return float(truth.distances[-1]) / length if length > 0 else 1.0


def _span(trajectory: Trajectory) -> str:
    return f"{trajectory.stamps[0] / 1e9:.3f} s to {trajectory.stamps[-1] / 1e9:.3f} s"
