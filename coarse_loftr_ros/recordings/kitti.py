"""The text files of KITTI odometry (Geiger et al., CVPR 2012)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["EYES", "find_calibration", "kitti_streams", "numbers", "read_projections"]

EYES = ("image_0", "image_1")

_CALIBRATION_FILES = ("calib.txt", "calib_P0_P1.txt")


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


def find_calibration(directory: Path) -> Path:
    """The calibration file of a sequence.

    Raises:
        FileNotFoundError: when there is none.
    """
    for name in _CALIBRATION_FILES:
        if (directory / name).is_file():
            return directory / name
    raise FileNotFoundError(f"{directory} has neither {' nor '.join(_CALIBRATION_FILES)}")


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
    return np.array([numbers(row, path).reshape(3, 4) for row in rows])


def numbers(line: str, path: Path) -> NDArray[np.float64]:
    """The 12 values of a 3x4 matrix in a line.

    Raises:
        ValueError: naming the file, when it is something else.
    """
    try:
        values = np.array([float(word) for word in line.split()])
    except ValueError as error:
        raise ValueError(f"{path} has a line that is not numbers: {line!r}") from error
    if len(values) != 12:
        raise ValueError(f"{path} has a line of {len(values)} numbers; it must be 12 (3x4)")
    return values
