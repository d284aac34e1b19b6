"""A camera's path from a stream of images: a matcher and an odometry, one after the other.

Any matching method can feed the same odometry, so that methods are compared by the paths that
come of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.odometry.estimate import Odometry, OdometryEstimate
from coarse_loftr_ros.recordings.frame_sets import FrameSet
from coarse_loftr_ros.recordings.trajectories.matcher_streams import MatcherStream
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

__all__ = ["OdometryRun", "VisualOdometry", "run_odometry"]

_NS_PER_MS = 1e6


@dataclass(frozen=True, eq=False)
class OdometryRun:
    """What came of a stream.

    Attributes:
        estimates: one per frame set.
        match_ms: milliseconds that matching took, float64 [N].
        odometry_ms: milliseconds that the odometry took, float64 [N].
    """

    estimates: tuple[OdometryEstimate, ...]
    match_ms: NDArray[np.float64]
    odometry_ms: NDArray[np.float64]

    @property
    def trajectory(self) -> Trajectory:
        """The poses of the camera's optical frame in that of the first image."""
        return Trajectory.of(
            [estimate.stamp for estimate in self.estimates],
            [estimate.pose for estimate in self.estimates],
        )


class VisualOdometry:
    """Follows a camera through the images of a stream.

    Args:
        stream: matches the frames.
        odometry: takes the matches.
    """

    def __init__(self, stream: MatcherStream, odometry: Odometry) -> None:
        self._stream = stream
        self._odometry = odometry
        self._estimates: list[OdometryEstimate] = []
        self._match_ms: list[float] = []
        self._odometry_ms: list[float] = []

    def take(self, frames: FrameSet) -> None:
        """Match the next frames and follow the camera.

        Raises:
            ValueError: when time goes back.
        """
        start = time.perf_counter_ns()
        temporal, stereo = self._stream.match(frames)
        matched = time.perf_counter_ns()
        estimate = self._odometry.update(temporal, stereo, stamp=frames.left.stamp)
        self._odometry_ms.append((time.perf_counter_ns() - matched) / _NS_PER_MS)
        self._match_ms.append((matched - start) / _NS_PER_MS)
        self._estimates.append(estimate)

    @property
    def latest(self) -> OdometryEstimate | None:
        """The estimate of the frames that were taken last."""
        return self._estimates[-1] if self._estimates else None

    @property
    def run(self) -> OdometryRun:
        """What came of the frames so far.

        Raises:
            ValueError: when there was none.
        """
        if not self._estimates:
            raise ValueError("there is no image")
        return OdometryRun(
            tuple(self._estimates), np.array(self._match_ms), np.array(self._odometry_ms)
        )


def run_odometry(
    frame_sets: Iterable[FrameSet], stream: MatcherStream, odometry: Odometry
) -> OdometryRun:
    """Match all frames and follow the camera.

    Args:
        frame_sets: in order of time.
        stream: matches them.
        odometry: takes the matches.

    Raises:
        ValueError: when there are no images, or time goes back.
    """
    visual_odometry = VisualOdometry(stream, odometry)
    for frames in frame_sets:
        visual_odometry.take(frames)
    return visual_odometry.run
