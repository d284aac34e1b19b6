"""Cameras as messages describe them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from coarse_loftr_ros.cameras.calibration import Calibration, CalibrationError, check_projection
from coarse_loftr_ros.images.frame import Intrinsics

__all__ = ["LatestCamera", "calibration_of", "describe", "intrinsics_of"]

# Values of D that are looked at; models have up to 14.
_MOST_DISTORTION = 100


class LatestCamera:
    """The camera of one topic, by the latest of its camera_info that can be used.

    One that cannot be used leaves the one before in its place.

    Args:
        check: refuses a calibration by raising ``CalibrationError``; it allocates nothing.

    Attributes:
        calibration: ``None`` until one came that can be used.
        problem: why the newest camera_info is not used; empty when it is.
    """

    def __init__(self, check: Callable[[Calibration], object] = check_projection) -> None:
        self.calibration: Calibration | None = None
        self.problem = ""
        self._check = check
        self._newest: tuple | None = None

    def take(self, info: Any) -> bool:
        """A camera_info came, as ``calibration_of`` takes it.

        Returns:
            Whether the camera is another one than before, or the first.
        """
        newest = _contents(info)
        if newest == self._newest:
            return False
        self._newest = newest
        try:
            calibration = calibration_of(info)
            self._check(calibration)
        except CalibrationError as error:
            kept = "" if self.calibration is None else "; the one before stays in use"
            self.problem = f"{error}{kept}"
            return False
        self.problem = ""
        if calibration == self.calibration:
            return False
        self.calibration = calibration
        return True


def describe(calibration: Calibration) -> str:
    """The camera of the rectified image, in words."""
    fx, _, cx, _, _, fy, cy = calibration.projection[:7]
    return (
        f"{calibration.width}x{calibration.height} fx {fx:g} fy {fy:g} cx {cx:g} cy {cy:g} "
        f"baseline {calibration.baseline + 0.0:g}"  # no -0
    )


def intrinsics_of(calibration: Calibration, width: int, height: int) -> Intrinsics:
    """Intrinsics of the rectified image, from the projection matrix.

    Args:
        calibration: of the camera.
        width: of the image as received, px.
        height: of the image as received, px.

    Raises:
        CalibrationError: when the camera is not calibrated, or the image is not the one described.
    """
    check_projection(calibration)
    calibration.check_size(width, height)
    fx, _, cx, _, _, fy, cy = calibration.projection[:7]
    return Intrinsics(fx, fy, cx, cy)


def calibration_of(info: Any) -> Calibration:
    """The camera that a ``sensor_msgs/CameraInfo`` describes, of ROS or read from a recording.

    Binning and region of interest are applied, so that all values are in px of the images as
    received. Nothing is made of the image's size, and K, D, R and P may say anything: see
    ``check_projection`` and ``Rectification``.

    Raises:
        CalibrationError: when it describes no image: width or height is 0, or binning or region
            of interest leave nothing of it; or when D is longer than that of any model.
    """
    roi = info.roi
    if not (info.width and info.height):
        raise CalibrationError(
            f"camera_info describes images of {info.width}x{info.height}; both sides must be at "
            "least 1"
        )
    if len(info.d) > _MOST_DISTORTION:
        raise CalibrationError(
            f"camera_info has a D of {len(info.d)} values; at most {_MOST_DISTORTION} are allowed"
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


def _contents(info: Any) -> tuple:
    """All of a camera_info but its header, cheap to compare also where values are not numbers."""
    roi = info.roi
    return (
        (info.width, info.height, info.binning_x, info.binning_y),
        (roi.x_offset, roi.y_offset, roi.width, roi.height),
        info.distortion_model,
        len(info.d),
        *(field.tobytes() for field in (info.d[: _MOST_DISTORTION + 1], info.k, info.r, info.p)),
    )
