"""The text files of KITTI odometry (Geiger et al., CVPR 2012)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["CALIBRATION_FILES", "find_calibration", "read_poses", "read_projections"]

CALIBRATION_FILES = ("calib.txt", "calib_P0_P1.txt")


def find_calibration(directory: Path) -> Path:
    """The calibration file of a sequence.

    Raises:
        FileNotFoundError: when there is none.
    """
    for name in CALIBRATION_FILES:
        if (directory / name).is_file():
            return directory / name
    raise FileNotFoundError(f"{directory} has neither {' nor '.join(CALIBRATION_FILES)}")


def read_projections(path: Path) -> NDArray[np.float64]:
    """Projection matrices, float64 [N, 3, 4], of ``P0:``, ``P1:`` ... or lines without a name.

    Raises:
        ValueError: when there is none, or a line is malformed.
    """
    lines = [line.split(":") for line in path.read_text().splitlines() if line.strip()]
    # Of KITTI's other lines, Tr belongs to the laser scanner.
    rows = [line[-1] for line in lines if len(line) == 1 or line[0].strip().startswith("P")]
    if not rows:
        raise ValueError(f"{path} has no projection matrix")
    return np.array([_numbers(row, path).reshape(3, 4) for row in rows])


def read_poses(path: Path) -> NDArray[np.float64]:
    """Camera-to-world transforms, float64 [N, 4, 4].

    Raises:
        ValueError: when a line is malformed.
    """
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    poses = np.tile(np.eye(4), (len(lines), 1, 1))
    for pose, line in zip(poses, lines, strict=True):
        pose[:3] = _numbers(line, path).reshape(3, 4)
    return poses


def _numbers(line: str, path: Path) -> NDArray[np.float64]:
    try:
        values = np.array([float(word) for word in line.split()])
    except ValueError as error:
        raise ValueError(f"{path} has a line that is not numbers: {line!r}") from error
    if len(values) != 12:
        raise ValueError(f"{path} has a line of {len(values)} numbers; it must be 12 (3x4)")
    return values
