"""Cameras as messages describe them."""

from __future__ import annotations

from typing import Any

import numpy as np

from coarse_loftr_ros.frame import Intrinsics
from coarse_loftr_ros.rectification import Calibration

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
    fx, _, cx, _, _, fy, cy = calibration.projection[:7]
    if not (fx > 0 and fy > 0) or (width, height) != (calibration.width, calibration.height):
        return None
    return Intrinsics(fx, fy, cx, cy)


def calibration_of(info: Any) -> Calibration:
    """The camera that a ``sensor_msgs/CameraInfo`` describes, of ROS or read from a recording.

    Binning and region of interest are applied, so that all values are in px of the images as
    received.
    """
    binning = np.maximum(1, [info.binning_x, info.binning_y])
    whole = info.roi.width == 0 or info.roi.height == 0
    described = [info.width, info.height] if whole else [info.roi.width, info.roi.height]
    width, height = (int(side) for side in np.asarray(described) // binning)
    # Pixel centres are integers, so a pixel of 2x2 binning lies between two of the full image.
    to_received = np.array(
        [
            [1 / binning[0], 0, (0.5 - info.roi.x_offset) / binning[0] - 0.5],
            [0, 1 / binning[1], (0.5 - info.roi.y_offset) / binning[1] - 0.5],
            [0, 0, 1],
        ]
    )
    camera = to_received @ np.reshape(info.k, (3, 3))
    projection = to_received @ np.reshape(info.p, (3, 4))
    return Calibration(
        width,
        height,
        info.distortion_model,
        tuple(float(value) for value in info.d),
        tuple(camera.ravel().tolist()),
        tuple(float(value) for value in info.r),
        tuple(projection.ravel().tolist()),
    )
