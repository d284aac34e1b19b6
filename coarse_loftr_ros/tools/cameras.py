"""The cameras of a recording or a folder, for commands that need more than pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coarse_loftr_ros.camera_info import intrinsics_of
from coarse_loftr_ros.evaluation.data.kitti_files import find_calibration, read_projections
from coarse_loftr_ros.frame import Intrinsics
from coarse_loftr_ros.odometry.observations import StereoRig
from coarse_loftr_ros.rectification import Calibration, CalibrationError, baseline_of
from coarse_loftr_ros.tools.errors import UserError, as_user_error

__all__ = ["Cameras", "cameras_of_calibrations", "cameras_of_folder", "parse_cameras"]


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
            UserError: when there is one camera only, or the two are not rectified.
        """
        if self.right is None:
            raise UserError(
                "stereo needs the baseline: --calib FX,FY,CX,CY,BASELINE, or a file with P0 and P1"
            )
        with as_user_error(ValueError):
            return StereoRig(self.left, self.right, self.baseline_m)


def parse_cameras(text: str) -> Cameras:
    """Cameras of ``--calib``: a KITTI calibration file, or numbers.

    Args:
        text: a file, or ``FX,FY,CX,CY`` in px, or these and the baseline in metres.

    Raises:
        UserError: when it is neither.
    """
    path = Path(text)
    if path.is_file():
        return _of_file(path)
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (4, 5) or not np.isfinite(numbers).all() or min(numbers[:2]) <= 0:
        raise UserError(
            f"--calib is '{text}'; it must be a file that exists, or FX,FY,CX,CY in px, with "
            "positive FX and FY, and for stereo the baseline in metres as fifth"
        )
    camera = Intrinsics(*numbers[:4])
    return Cameras(camera) if len(numbers) == 4 else Cameras(camera, camera, numbers[4])


def cameras_of_folder(folder: Path) -> Cameras | None:
    """Cameras of a folder with a KITTI calibration file; ``None`` without one.

    Raises:
        UserError: when the file is malformed.
    """
    try:
        return _of_file(find_calibration(folder))
    except FileNotFoundError:
        return None


def cameras_of_calibrations(calibrations: Sequence[Calibration]) -> Cameras:
    """The rectified cameras of one calibration, or of those of left and right.

    Raises:
        UserError: when one is not calibrated.
    """
    with as_user_error(CalibrationError):
        cameras = [intrinsics_of(each, each.width, each.height) for each in calibrations]
    if len(cameras) == 1:
        return Cameras(cameras[0])
    return Cameras(cameras[0], cameras[1], baseline_of(*calibrations))


def _of_file(path: Path) -> Cameras:
    with as_user_error(ValueError, OSError):
        projections = read_projections(path)
    cameras = [Intrinsics(p[0, 0], p[1, 1], p[0, 2], p[1, 2]) for p in projections[:2]]
    if len(cameras) == 1:
        return Cameras(cameras[0])
    left, right = projections[:2]
    return Cameras(*cameras, baseline_m=(left[0, 3] - right[0, 3]) / right[0, 0])
