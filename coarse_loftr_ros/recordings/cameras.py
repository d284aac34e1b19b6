"""The cameras of a recording or a folder, for commands that need more than pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.calibration import Calibration, CalibrationError, baseline_of
from coarse_loftr_ros.cameras.camera_info import intrinsics_of
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.odometry.observations import StereoRig
from coarse_loftr_ros.recordings import euroc, kitti
from coarse_loftr_ros.recordings.errors import RecordingError

__all__ = [
    "CameraRig",
    "cameras_of_calibrations",
    "cameras_of_projections",
    "counted_from_left",
    "folder_calibrations",
]


@dataclass(frozen=True)
class CameraRig:
    """One camera, or the rectified pair of a stereo camera.

    Attributes:
        left: the camera, or the left one.
        right: the right one, where there is one.
        baseline_m: distance of the right camera along +x, metres; 0 without one.
    """

    left: Intrinsics
    right: Intrinsics | None = None
    baseline_m: float = 0.0

    def rig(self) -> StereoRig:
        """As stereo odometry wants them.

        Raises:
            RecordingError: when there is one camera only, or the two are not rectified.
        """
        if self.right is None:
            raise RecordingError(
                "stereo needs two cameras and their baseline, and one camera is given"
            )
        try:
            return StereoRig(self.left, self.right, self.baseline_m)
        except ValueError as error:
            raise RecordingError(str(error)) from error


def cameras_of_calibrations(calibrations: Sequence[Calibration]) -> CameraRig:
    """The rectified cameras of one calibration, or of those of left and right.

    Raises:
        RecordingError: when one is not calibrated.
    """
    try:
        cameras = [intrinsics_of(each, each.width, each.height) for each in calibrations]
    except CalibrationError as error:
        raise RecordingError(str(error)) from error
    if len(cameras) == 1:
        return CameraRig(cameras[0])
    return CameraRig(cameras[0], cameras[1], baseline_of(*calibrations))


def cameras_of_projections(projections: Sequence[NDArray[np.float64]]) -> CameraRig:
    """The cameras of one projection matrix [3, 4], or of those of left and right."""
    cameras = [Intrinsics(p[0, 0], p[1, 1], p[0, 2], p[1, 2]) for p in projections]
    if len(cameras) == 1:
        return CameraRig(cameras[0])
    left, right = (p[0, 3] / p[0, 0] for p in projections)
    return CameraRig(cameras[0], cameras[1], left - right)


def counted_from_left(calibrations: Sequence[Calibration]) -> list[Calibration]:
    """The same cameras, their places along x counted from the first one as in ROS.

    KITTI counts the places of all four cameras from the left grey one.
    """
    counted = []
    for each in calibrations:
        fx, skew, cx, offset, *rest = each.projection
        moved = offset + fx * calibrations[0].baseline
        counted.append(replace(each, projection=(fx, skew, cx, moved, *rest)))
    return counted


def folder_calibrations(
    root: Path, folders: Sequence[Path], sizes: Sequence[tuple[int, int]]
) -> list[Calibration]:
    """The cameras that took the images of folders, as KITTI's or EuRoC's files describe them.

    Args:
        root: of the recording.
        folders: of the images of each stream.
        sizes: (width, height) of those images, px, which KITTI's files do not have.

    Returns:
        None where there is no such file.

    Raises:
        RecordingError: when there is one that is malformed, or does not say which camera is which.
    """
    sensors = [euroc.find_sensor(folder) for folder in folders]
    if all(sensors):
        return euroc.calibrations_of(sensors)
    path = kitti.find_calibration(root)
    if path is None:
        return []
    projections = kitti.projections_of(path, folders)
    return [_rectified(each, size) for each, size in zip(projections, sizes, strict=True)]


def _rectified(projection: NDArray[np.float64], size: tuple[int, int]) -> Calibration:
    """A camera whose images are rectified."""
    return Calibration(
        *size,
        "plumb_bob",
        (),
        tuple(projection[:, :3].ravel().tolist()),
        tuple(np.eye(3).ravel().tolist()),
        tuple(projection.ravel().tolist()),
    )
