"""Cameras as messages describe them."""

from __future__ import annotations

from typing import Any

import numpy as np

from coarse_loftr_ros.frame import Intrinsics
from coarse_loftr_ros.rectification import Calibration, CalibrationError, check_projection

__all__ = ["calibration_of", "intrinsics_of"]


def intrinsics_of(calibration: Calibration, width: int, height: int) -> Intrinsics | None:
    """Intrinsics of the rectified image, from the projection matrix.

    Args:
        calibration: of the camera.
        width: of the image as received, px.
        height: of the image as received, px.

    Returns:
        ``None`` when the camera is not calibrated, or the image is not the one described.
    """
    try:
        check_projection(calibration)
        calibration.check_size(width, height)
    except CalibrationError:
        return None
    fx, _, cx, _, _, fy, cy = calibration.projection[:7]
    return Intrinsics(fx, fy, cx, cy)


def calibration_of(info: Any) -> Calibration:
    """The camera that a ``sensor_msgs/CameraInfo`` describes, of ROS or read from a recording.

    Binning and region of interest are applied, so that all values are in px of the images as
    received. Nothing is made of the image's size, and K, D, R and P may say anything: see
    ``check_projection`` and ``Rectification``.

    Raises:
        CalibrationError: when it describes no image: width or height is 0, or binning or region
            of interest leave nothing of it.
    """
    roi = info.roi
    if not (info.width and info.height):
        raise CalibrationError(
            f"camera_info describes images of {info.width}x{info.height}; both sides must be at "
            "least 1"
        )
    width, height, left, top = int(info.width), int(info.height), 0, 0
    if roi.width and roi.height:
        left, top = int(roi.x_offset), int(roi.y_offset)
        if left + roi.width > width or top + roi.height > height:
            raise CalibrationError(
                f"camera_info has a region of interest of {roi.width}x{roi.height} at ({left}, "
                f"{top}); it must lie within its {width}x{height} px"
            )
        width, height = int(roi.width), int(roi.height)
    binning = max(1, int(info.binning_x)), max(1, int(info.binning_y))
    if binning[0] > width or binning[1] > height:
        raise CalibrationError(
            f"camera_info has a binning of {binning[0]}x{binning[1]}, which leaves nothing of its "
            f"{width}x{height} px"
        )
    # Pixel centres are integers, so a pixel of 2x2 binning lies between two of the full image.
    to_received = np.array(
        [
            [1 / binning[0], 0, (0.5 - left) / binning[0] - 0.5],
            [0, 1 / binning[1], (0.5 - top) / binning[1] - 0.5],
            [0, 0, 1],
        ]
    )
    with np.errstate(invalid="ignore", over="ignore"):  # of values that are not finite
        camera = to_received @ np.reshape(info.k, (3, 3))
        projection = to_received @ np.reshape(info.p, (3, 4))
    return Calibration(
        width // binning[0],
        height // binning[1],
        info.distortion_model,
        tuple(float(value) for value in info.d),
        tuple(camera.ravel().tolist()),
        tuple(float(value) for value in info.r),
        tuple(projection.ravel().tolist()),
    )
