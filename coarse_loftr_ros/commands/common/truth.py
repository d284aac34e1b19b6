"""The true path of a recording."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.recordings.trajectories.files import read_poses, read_trajectory
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

__all__ = ["find_truth", "true_path"]


def find_truth(given: Path | None, folder: Path) -> Path | None:
    """The file of the true path that was given, or that of the folder; ``None`` without one.

    Raises:
        UserError: when it cannot be read or is no path.
    """
    path = given or _beside(folder)
    if path is None:
        return None
    try:
        with as_user_error(ValueError):
            read_poses(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return path


def true_path(path: Path, numbers: Mapping[int, int], frame_sets: int | None) -> Trajectory:
    """The true path at the images of a recording.

    Args:
        path: of the file.
        numbers: of the images that were used, by their stamps in nanoseconds; a file without
            times has a pose for every frame set of the recording, used or not.
        frame_sets: in the recording; ``None`` where nothing says it.

    Raises:
        ValueError: when it is not that of the recording.
    """
    last = max(numbers.values(), default=-1) + 1
    stamps: list[int | None] = [None] * max(last, frame_sets or 0)
    for stamp, number in numbers.items():
        stamps[number] = stamp
    return read_trajectory(path, stamps)


def _beside(folder: Path) -> Path | None:
    """Where the data sets have their truth: this project's and KITTI's, and TUM's."""
    places = [folder / "poses.txt"]
    if folder.parent.name == "sequences":
        places.append(folder.parent.parent / "poses" / f"{folder.name}.txt")
    if (folder / "rgb.txt").is_file():
        places.append(folder / "groundtruth.txt")
    return next((path for path in places if path.is_file()), None)
