"""The true path of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coarse_loftr_ros.evaluation.trajectory import Trajectory
from coarse_loftr_ros.evaluation.trajectory_files import read_trajectory
from coarse_loftr_ros.tools.errors import UserError, as_user_error

__all__ = ["find_truth"]


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
