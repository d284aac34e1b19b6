"""How far a trajectory is from the truth, by length of path and from image to image.

Both trajectories have the same stamps; neither is aligned, because relative motions need no
alignment. An estimate without a scale is scaled before (``scale_between``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coarse_loftr_ros.cameras.angles import rotation_error, translation_direction_error
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

__all__ = [
    "KITTI_LENGTHS_M",
    "SHORT_LENGTHS_M",
    "SegmentErrors",
    "StepErrors",
    "segment_errors",
    "segment_lengths",
    "step_errors",
]

KITTI_LENGTHS_M = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0)
SHORT_LENGTHS_M = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0)
_STEPS = 4  # images in the shortest part


@dataclass(frozen=True)
class SegmentErrors:
    """Relative errors over parts of the path of given lengths.

    Attributes:
        lengths_m: lengths of the parts of which there is at least one.
        t_rel_percent: mean translation error, per cent of the length, of each length.
        r_rel_deg_per_m: mean rotation error, degrees per metre, of each length.
        segments: parts of each length.
        mean_t_rel_percent: mean over all parts of all lengths, as KITTI ranks methods.
        mean_r_rel_deg_per_m: likewise.
    """

    lengths_m: tuple[float, ...]
    t_rel_percent: tuple[float, ...]
    r_rel_deg_per_m: tuple[float, ...]
    segments: tuple[int, ...]
    mean_t_rel_percent: float
    mean_r_rel_deg_per_m: float


@dataclass(frozen=True)
class StepErrors:
    """Errors of the motion from each image to the next.

    Attributes:
        median_rotation_deg: median rotation error.
        median_direction_deg: median angle between the lines of the true and the estimated
            translation, over the steps that are long enough to have a direction; ``None`` when
            none is.
        directions: steps of which the direction was measured.
    """

    median_rotation_deg: float
    median_direction_deg: float | None
    directions: int


def segment_lengths(truth: Trajectory) -> tuple[float, ...]:
    """KITTI's lengths where the path is long enough for them, else those of short paths.

    A part is as long as its length up to the motion between two images, so short lengths are
    left out where images are far apart.
    """
    distances = truth.distances
    length, step = distances[-1], distances[-1] / max(1, len(truth) - 1)
    lengths = KITTI_LENGTHS_M if length > KITTI_LENGTHS_M[0] else SHORT_LENGTHS_M
    return tuple(each for each in lengths if _STEPS * step <= each < length)


def segment_errors(
    estimate: Trajectory, truth: Trajectory, lengths_m: Sequence[float], step: int = 1
) -> SegmentErrors | None:
    """Relative errors as KITTI's odometry benchmark defines them (Geiger et al., CVPR 2012).

    For each length and each ``step``-th image as a start, the part ends with the first image
    beyond that length of true path. The error is the motion that is left between the estimated
    and the true motion of the part, divided by the length.

    Args:
        estimate: as many poses as ``truth``.
        truth: taken at the same times, metric.
        lengths_m: lengths of parts, metres.
        step: images from one start to the next; KITTI's programme takes 10.

    Returns:
        The errors; ``None`` when the path is shorter than every length.
    """
    distances = truth.distances
    found = []
    for length in lengths_m:
        errors = []
        for first in range(0, len(truth), step):
            last = int(np.searchsorted(distances, distances[first] + length, side="right"))
            if last == len(truth):
                break
            left = _motion(estimate, first, last).inverse @ _motion(truth, first, last)
            errors.append(
                (
                    100 * float(np.linalg.norm(left.translation)) / length,
                    rotation_error(left.rotation, np.eye(3)) / length,
                )
            )
        if errors:
            found.append((length, errors))
    if not found:
        return None
    means = [np.mean(errors, axis=0) for _, errors in found]
    overall = np.mean(np.concatenate([errors for _, errors in found]), axis=0)
    return SegmentErrors(
        lengths_m=tuple(length for length, _ in found),
        t_rel_percent=tuple(float(mean[0]) for mean in means),
        r_rel_deg_per_m=tuple(float(mean[1]) for mean in means),
        segments=tuple(len(errors) for _, errors in found),
        mean_t_rel_percent=float(overall[0]),
        mean_r_rel_deg_per_m=float(overall[1]),
    )


def step_errors(estimate: Trajectory, truth: Trajectory, shortest_m: float = 0.01) -> StepErrors:
    """Errors of the motion from each image to the next.

    Args:
        estimate: as many poses as ``truth``, at least two; its scale does not matter.
        truth: taken at the same times.
        shortest_m: true motions that are shorter have no direction worth measuring.
    """
    rotations, directions = [], []
    for first in range(len(truth) - 1):
        ours, true = (_motion(path, first, first + 1) for path in (estimate, truth))
        rotations.append(rotation_error(ours.rotation, true.rotation))
        if np.linalg.norm(true.translation) >= shortest_m and ours.translation.any():
            directions.append(translation_direction_error(ours.translation, true.translation))
    return StepErrors(
        float(np.median(rotations)),
        float(np.median(directions)) if directions else None,
        len(directions),
    )


def _motion(trajectory: Trajectory, first: int, last: int) -> Pose:
    return trajectory.poses[first].inverse @ trajectory.poses[last]
