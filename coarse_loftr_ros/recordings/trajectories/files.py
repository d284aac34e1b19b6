"""Trajectories as files of TUM RGB-D, KITTI odometry and Open3D.

TUM: ``seconds tx ty tz qx qy qz qw`` per line; nanoseconds since 1970 are recognised. KITTI: a
row-major 3x4 matrix per line, without times. Open3D: a line of three integers, then a 4x4 matrix,
without times. All of them map camera coordinates to those of a fixed frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.recordings.times import parse_times
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

__all__ = [
    "kitti_text",
    "read_poses",
    "read_trajectory",
    "tum_text",
]

_TUM_NUMBERS = 8
_KITTI_NUMBERS = 12
_FARTHEST = 1e12  # metres


def tum_text(trajectory: Trajectory) -> str:
    """A trajectory as TUM has it; stamps keep their nanoseconds."""
    lines = []
    for stamp, pose in zip(trajectory.stamps, trajectory.poses, strict=True):
        seconds, rest = divmod(abs(int(stamp)), 1_000_000_000)
        sign = "-" if stamp < 0 else ""
        numbers = (*pose.translation, *pose.quaternion)
        lines.append(f"{sign}{seconds}.{rest:09d} " + " ".join(f"{value:.9g}" for value in numbers))
    return "\n".join(lines) + "\n"


def kitti_text(trajectory: Trajectory) -> str:
    """A trajectory as KITTI has it, without its times."""
    rows = (pose.matrix[:3].ravel() for pose in trajectory.poses)
    return "".join(" ".join(f"{value:.9e}" for value in row) + "\n" for row in rows)


def read_trajectory(path: Path, stamps: Sequence[int | None] | None = None) -> Trajectory:
    """Read a file of any of the three kinds, known by what is in it.

    Args:
        path: of the file; lines that begin with ``#`` are comments.
        stamps: of the poses, integer nanoseconds, for files without times; ``None`` for one of
            which nothing is wanted.

    Raises:
        ValueError: naming the file, when it is of none of these kinds, or has no times and
            ``stamps`` are not as many as its poses.
        OSError: when it cannot be read.
    """
    own, poses = read_poses(path)
    try:
        stamps = own if own is not None else stamps
        if stamps is None or len(stamps) != len(poses):
            given = "none" if stamps is None else len(stamps)
            raise ValueError(
                f"it has {len(poses)} poses without times, and there are {given} images"
            )
        timed = [(s, pose) for s, pose in zip(stamps, poses, strict=True) if s is not None]
        return Trajectory.of([stamp for stamp, _ in timed], [pose for _, pose in timed])
    except ValueError as error:
        raise ValueError(f"{path} is no trajectory: {error}") from error


def read_poses(path: Path) -> tuple[list[int | None] | None, list[Pose]]:
    """Times (ns; ``None`` for what is none) and poses of a file; no times where it has none.

    Raises:
        ValueError: naming the file, when it is of none of the three kinds.
        OSError: when it cannot be read.
    """
    lines = _lines(path)
    counts = {len(line) for line in lines}
    try:
        if counts == {_TUM_NUMBERS}:
            times = parse_times([line[0] for line in lines], "its first column")
            return times, [_tum_pose(_numbers(line[1:])) for line in lines]
        if counts == {_KITTI_NUMBERS}:
            return None, [_pose(np.array(_numbers(line)).reshape(3, 4)) for line in lines]
        if counts == {3, 4} and len(lines) % 5 == 0:
            blocks = (lines[k + 1 : k + 5] for k in range(0, len(lines), 5))
            return None, [_pose(np.array([_numbers(line) for line in block])) for block in blocks]
    except ValueError as error:
        raise ValueError(f"{path} is no trajectory: {error}") from error
    raise ValueError(
        f"{path} is no trajectory: it has neither 8 numbers per line (TUM), nor 12 (KITTI), nor "
        "matrices (Open3D)"
    )


def _lines(path: Path) -> list[list[str]]:
    """The words of each line that is neither empty nor a comment."""
    words = (line.split() for line in path.read_text("utf-8-sig", "replace").splitlines())
    return [line for line in words if line and not line[0].startswith("#")]


def _numbers(words: Sequence[str]) -> list[float]:
    """Values of a pose; what is not finite or far beyond any path has no place in one."""
    values = [float(word) for word in words]
    for word, value in zip(words, values, strict=True):
        if not abs(value) < _FARTHEST:
            raise ValueError(f"'{word}' is no part of a pose")
    return values


def _tum_pose(values: list[float]) -> Pose:
    return Pose.from_quaternion(np.array(values[3:]), np.array(values[:3]))


def _pose(matrix: np.ndarray) -> Pose:
    """A pose of a matrix [3 or 4, 4] that was written with few digits."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    rotation = left @ right
    error = float(np.abs(rotation - matrix[:3, :3]).max())
    if error > 1e-3 or np.linalg.det(rotation) < 0:
        raise ValueError(f"{matrix[:3, :3].tolist()} is no rotation matrix")
    return Pose(rotation, matrix[:3, 3])
