"""Sequences of EuRoC (Burri et al., IJRR 2016) and of data sets that have its layout.

``mav0/cam0`` and ``mav0/cam1`` with ``data.csv`` (nanoseconds and names), ``data/`` and
``sensor.yaml``. The images are raw: each lens distorts, and the rows of left and
right do not correspond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.text_files import read_text

__all__ = ["PAIRS", "calibrations_of", "find_sensor"]

PAIRS = (("mav0/cam0", "mav0/cam1"), ("cam0", "cam1"))

_MODELS = {
    "radial-tangential": "plumb_bob",
    "radtan": "plumb_bob",
    "plumb_bob": "plumb_bob",
    "equidistant": "equidistant",
    "none": "plumb_bob",
}
_SIDEWAYS = 0.1  # of the baseline: more of it across the rows is no pair side by side


@dataclass(frozen=True)
class _Sensor:
    """A camera as ``sensor.yaml`` describes it; ``pose`` maps its axes to the body's."""

    path: Path
    size: tuple[int, int]
    model: str
    distortion: NDArray[np.float64]
    matrix: NDArray[np.float64]
    pose: NDArray[np.float64] | None


def find_sensor(folder: Path) -> Path | None:
    """The description of the camera that took the images of a folder, where there is one."""
    places = (folder, folder.parent) if folder.name == "data" else (folder,)
    return next((p / "sensor.yaml" for p in places if (p / "sensor.yaml").is_file()), None)


def calibrations_of(files: Sequence[Path]) -> list[Calibration]:
    """How the raw images of one camera, or of left and right, become rectified.

    Two cameras are rectified as OpenCV's ``stereoRectify`` does it, without pixels that one of
    them does not show.

    Args:
        files: ``sensor.yaml`` of each camera.

    Raises:
        RecordingError: when a file does not describe a camera that is known here, or the two are
            not side by side.
    """
    sensors = [_read(path) for path in files]
    if len(sensors) == 1:
        (only,) = sensors
        projection = np.column_stack([only.matrix, np.zeros(3)])
        return [_calibration(only, np.eye(3), projection)]
    left, right = sensors
    if left.pose is None or right.pose is None:
        lacking = left.path if left.pose is None else right.path
        raise RecordingError(f"{lacking} has no T_BS, which says where the camera is")
    if left.size != right.size or left.model != right.model:
        raise RecordingError(f"{left.path} and {right.path} are of cameras of different kinds")
    motion = np.linalg.inv(right.pose) @ left.pose
    rotation, translation = motion[:3, :3].copy(), motion[:3, 3:].copy()
    if left.model == "equidistant":
        first, second, near, far, _ = cv2.fisheye.stereoRectify(
            left.matrix, left.distortion, right.matrix, right.distortion,
            left.size, rotation, translation, cv2.CALIB_ZERO_DISPARITY,
        )  # fmt: skip
    else:
        first, second, near, far, *_ = cv2.stereoRectify(
            left.matrix, left.distortion, right.matrix, right.distortion,
            left.size, rotation, translation, flags=cv2.CALIB_ZERO_DISPARITY, alpha=0,
        )  # fmt: skip
    if far[0, 3] >= 0 or abs(far[1, 3]) > _SIDEWAYS * abs(far[0, 3]):
        raise RecordingError(
            f"{right.path}: by T_BS this camera is not to the right of that of {left.path}"
        )
    return [_calibration(left, first, near), _calibration(right, second, far)]


def _calibration(
    sensor: _Sensor, rotation: NDArray[np.float64], projection: NDArray[np.float64]
) -> Calibration:
    return Calibration(
        *sensor.size,
        sensor.model,
        tuple(sensor.distortion.tolist()),
        tuple(sensor.matrix.ravel().tolist()),
        tuple(rotation.ravel().tolist()),
        tuple(projection.ravel().tolist()),
    )


def _read(path: Path) -> _Sensor:
    from ruamel.yaml import YAML, YAMLError  # which rosbags needs, too

    text = read_text(path)
    if text.startswith("%YAML"):  # OpenCV's first line is none of YAML's
        text = text.partition("\n")[2]
    try:
        values = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise RecordingError(f"{path} is no YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise RecordingError(f"{path} describes no camera")
    if values.get("camera_model", "pinhole") != "pinhole":
        raise RecordingError(
            f"{path}: camera_model is {values['camera_model']}; it must be pinhole"
        )
    name = str(values.get("distortion_model", "none"))
    if name not in _MODELS:
        raise RecordingError(
            f"{path}: distortion_model is {name}; it must be one of {', '.join(_MODELS)}"
        )
    fx, fy, cx, cy = _numbers(path, values, "intrinsics", 4)
    width, height = _numbers(path, values, "resolution", 2)
    if min(fx, fy, width, height) <= 0:
        raise RecordingError(f"{path}: intrinsics and resolution must be positive")
    distortion = (
        np.zeros(4) if name == "none" else _numbers(path, values, "distortion_coefficients", 4)
    )
    pose = values.get("T_BS")
    return _Sensor(
        path,
        (int(width), int(height)),
        _MODELS[name],
        distortion,
        np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
        None if pose is None else _pose(path, pose),
    )


def _pose(path: Path, value: Any) -> NDArray[np.float64]:
    values = value if isinstance(value, dict) else {"data": value}
    pose = _numbers(path, values, "data", 16).reshape(4, 4)
    if not np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-3):
        raise RecordingError(f"{path}: T_BS is no pose")
    return pose


def _numbers(path: Path, values: dict[str, Any], name: str, count: int) -> NDArray[np.float64]:
    try:
        found = np.array(values.get(name, ()), np.float64).ravel()
    except (TypeError, ValueError):
        found = np.empty(0)
    if len(found) != count or not np.isfinite(found).all():
        raise RecordingError(f"{path}: {name} must be {count} finite numbers")
    return found
