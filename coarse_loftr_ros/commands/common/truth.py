"""The file of a recording's true path."""

from __future__ import annotations

from pathlib import Path

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.recordings.trajectories.files import read_poses
from coarse_loftr_ros.recordings.trajectories.truth import truth_beside

__all__ = ["find_truth"]


def find_truth(given: Path | None, folder: Path) -> Path | None:
    """The file of the true path that was given, or that of the folder; ``None`` without one.

    Raises:
        UserError: when it cannot be read or is no path.
    """
    path = given or truth_beside(folder)
    if path is None:
        return None
    try:
        with as_user_error(ValueError):
            read_poses(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return path
