"""The cameras of a recording or a folder, for commands that need more than pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coarse_loftr_ros.camera_info import intrinsics_of
from coarse_loftr_ros.frame import Intrinsics
from coarse_loftr_ros.odometry.observations import StereoRig
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.kitti import find_calibration, read_projections
from coarse_loftr_ros.rectification import Calibration, baseline_of

__all__ = ["Cameras", "cameras_of_calibrations", "cameras_of_file", "cameras_of_folder"]


@dataclass(frozen=True)
class Cameras:
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


def cameras_of_folder(folder: Path) -> Cameras | None:
    """Cameras of a folder with a KITTI calibration file; ``None`` without one.

    Raises:
        RecordingError: when the file is malformed.
    """
    try:
        return cameras_of_file(find_calibration(folder))
    except FileNotFoundError:
        return None


def cameras_of_calibrations(calibrations: Sequence[Calibration]) -> Cameras:
    """The rectified cameras of one calibration, or of those of left and right.

    Raises:
        RecordingError: when one is not calibrated.
    """
    cameras = [intrinsics_of(each, each.width, each.height) for each in calibrations]
    if None in cameras:
        raise RecordingError("the camera_info of the recording is not calibrated: P is zero")
    if len(cameras) == 1:
        return Cameras(cameras[0])
    return Cameras(cameras[0], cameras[1], baseline_of(*calibrations))


def cameras_of_file(path: Path) -> Cameras:
    """Cameras of a calibration file of KITTI.

    Raises:
        RecordingError: when it is malformed.
    """
    try:
        projections = read_projections(path)
    except (ValueError, OSError) as error:
        raise RecordingError(str(error)) from error
    cameras = [Intrinsics(p[0, 0], p[1, 1], p[0, 2], p[1, 2]) for p in projections[:2]]
    if len(cameras) == 1:
        return Cameras(cameras[0])
    left, right = projections[:2]
    return Cameras(*cameras, baseline_m=(left[0, 3] - right[0, 3]) / right[0, 0])
