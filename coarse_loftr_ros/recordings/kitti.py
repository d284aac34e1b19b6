"""Sequences of KITTI (Geiger et al., CVPR 2012): the odometry benchmark and the raw data.

Odometry: ``image_0`` and ``image_1`` (grey), ``image_2`` and ``image_3`` (colour), ``calib.txt``
with ``P0`` to ``P3``, ``times.txt``. Raw, synchronised and rectified: ``image_00/data`` to
``image_03/data`` with ``timestamps.txt`` each, and ``calib_cam_to_cam.txt`` with ``P_rect_00`` to
``P_rect_03`` beside the drive. All cameras of a sequence are rectified to each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.text_files import read_text

__all__ = ["PAIRS", "find_calibration", "projections_of", "read_matrix", "read_projections"]

PAIRS = (
    ("image_0", "image_1"),
    ("image_2", "image_3"),
    ("image_00", "image_01"),
    ("image_02", "image_03"),
)
"""Folders of left and right images, the first that are there being taken."""

_CALIBRATION_FILES = ("calib.txt", "calib_P0_P1.txt", "calib_cam_to_cam.txt")
_CAMERA = re.compile(r"image_0?(\d)")
_PROJECTION = re.compile(r"P(?:_rect_0)?(\d)")


def find_calibration(root: Path) -> Path | None:
    """The calibration file of a sequence, where there is one."""
    places = [root / name for name in _CALIBRATION_FILES]
    places.append(root.parent / _CALIBRATION_FILES[-1])  # of all drives of a day of the raw data
    return next((path for path in places if path.is_file()), None)


def read_projections(path: Path) -> dict[int, NDArray[np.float64]]:
    """Projection matrices, float64 [3, 4], by the number of the camera.

    They are named (``P0:``, ``P_rect_00:``), or lines without a name that begin with camera 0.

    Raises:
        RecordingError: when there is none, or a line is malformed.
    """
    found: dict[int, NDArray[np.float64]] = {}
    for line in read_text(path).splitlines():
        name, colon, values = line.rpartition(":")
        match = _PROJECTION.fullmatch(name.strip())
        # Of KITTI's other lines, Tr belongs to the laser scanner.
        if values.strip() and (match or not colon):
            found[int(match[1]) if match else len(found)] = read_matrix(values, path)
    if not found:
        raise RecordingError(f"{path} has no projection matrix")
    for camera, matrix in found.items():
        if not (matrix[0, 0] > 0 and matrix[1, 1] > 0):
            raise RecordingError(f"{path}: P{camera} is the matrix of no camera")
    return found


def projections_of(path: Path, folders: Sequence[Path]) -> list[NDArray[np.float64]]:
    """The projection matrix of the camera that took each folder.

    Args:
        path: of the calibration file.
        folders: of images.

    Raises:
        RecordingError: when the file is malformed, or the names of the folders do not say which
            of its cameras they are of.
    """
    found = read_projections(path)
    if len(found) == len(folders) == 1:
        return list(found.values())
    names = [folder.parent.name if folder.name == "data" else folder.name for folder in folders]
    listed = ", ".join(f"P{number}" for number in found)
    chosen = []
    for name in names:
        match = _CAMERA.fullmatch(name)
        if match is None:
            raise RecordingError(
                f"{path} has {listed}, and the name of the folder {name} does not say which is its "
                "own, as image_0 to image_3 do: give the camera"
            )
        if int(match[1]) not in found:
            raise RecordingError(f"{path} has {listed}, and none for {name}: give the camera")
        chosen.append(found[int(match[1])])
    return chosen


def read_matrix(line: str, path: Path) -> NDArray[np.float64]:
    """The 3x4 matrix in a line of 12 values.

    Raises:
        RecordingError: naming the file, when it is something else.
    """
    try:
        values = np.array([float(word) for word in line.split()])
    except ValueError as error:
        raise RecordingError(f"{path} has a line that is not numbers: {line!r}") from error
    if len(values) != 12 or not np.isfinite(values).all():
        raise RecordingError(
            f"{path} has a line of {len(values)} numbers; it must be 12 finite ones (3x4)"
        )
    return values.reshape(3, 4)
