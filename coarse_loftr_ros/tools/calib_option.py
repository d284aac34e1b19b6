"""The option ``--calib``: cameras that the user gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from coarse_loftr_ros.frame import Intrinsics
from coarse_loftr_ros.recordings.cameras import Cameras, cameras_of_file
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.tools.errors import UserError, as_user_error

__all__ = ["parse_cameras"]


def parse_cameras(text: str) -> Cameras:
    """Cameras of ``--calib``: a KITTI calibration file, or numbers.

    Args:
        text: a file, or ``FX,FY,CX,CY`` in px, or these and the baseline in metres.

    Raises:
        UserError: when it is neither.
    """
    path = Path(text)
    if path.is_file():
        with as_user_error(RecordingError):
            return cameras_of_file(path)
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
