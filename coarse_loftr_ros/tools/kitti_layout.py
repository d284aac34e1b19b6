"""What lies where in a folder with KITTI's layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coarse_loftr_ros.evaluation.trajectory import Trajectory
from coarse_loftr_ros.evaluation.trajectory_files import read_trajectory
from coarse_loftr_ros.tools.errors import UserError, as_user_error

__all__ = ["EYES", "find_truth", "kitti_streams"]

EYES = ("image_0", "image_1")


def kitti_streams(folder: Path, *, both: bool = True) -> list[str | None]:
    """Sub-folders of the eyes that there are; ``[None]`` for a folder without them.

    Args:
        folder: with or without KITTI's layout.
        both: whether the right eye is wanted.
    """
    left, right = (folder / eye for eye in EYES)
    if not left.is_dir():
        return [None]
    return list(EYES) if both and right.is_dir() else [left.name]


def find_truth(given: Path | None, folder: Path, stamps: Sequence[int] | None) -> Trajectory | None:
    """The true path that was given, or that of the folder; ``None`` without one.

    Args:
        given: by the user, if at all.
        folder: where ``poses.txt`` may be.
        stamps: of the images, nanoseconds, for files without times; ``None`` when not known.

    Raises:
        UserError: when it cannot be read.
    """
    path = given or folder / "poses.txt"
    if given is None and not path.is_file():
        return None
    try:
        with as_user_error(ValueError):
            return read_trajectory(path, None if stamps is None else list(stamps))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
