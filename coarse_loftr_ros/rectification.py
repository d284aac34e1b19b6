"""Raw camera images to undistorted, row-aligned ones, as the calibration says."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.frame import Intrinsics

__all__ = [
    "Calibration",
    "CalibrationError",
    "Rectification",
    "baseline_of",
    "rows_correspond",
    "rows_differ",
    "why_no_pair",
]

# Parameters that each distortion model of sensor_msgs/CameraInfo takes.
_DISTORTION = {
    "": (0,),
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}
# Px around the edge of the camera's image on whose warped border no match may lie.
_BORDER = 8
# By how much rows and disparities of a rectified pair may be wrong, px.
_SAME_PX = 0.1


class CalibrationError(ValueError):
    """A calibration that does not describe the image, in words for the user."""


@dataclass(frozen=True)
class Calibration:
    """A camera as ``sensor_msgs/CameraInfo`` describes it, in px of the image as received.

    Attributes:
        width: of the image, px.
        height: of the image, px.
        model: ``plumb_bob``, ``rational_polynomial`` or ``equidistant``.
        distortion: its parameters; none, or zeros, for an image without distortion.
        camera: K, 9 values row by row.
        rotation: R, 9 values, from the camera's axes to the rectified ones.
        projection: P, 12 values: the camera of the rectified image; ``projection[3]`` is minus its
            focal length times its place along x in metres, counted from the first camera of its
            rig: the left eye, or, of a rig of more cameras, another one.
    """

    width: int
    height: int
    model: str
    distortion: tuple[float, ...]
    camera: tuple[float, ...]
    rotation: tuple[float, ...]
    projection: tuple[float, ...]

    @property
    def baseline(self) -> float:
        """Metres from the first camera of the rig to this one along x; 0 for the first itself."""
        return -self.projection[3] / self.projection[0] if self.projection[0] > 0 else 0.0


def baseline_of(left: Calibration, right: Calibration) -> float:
    """Metres from one eye to the other along x; both may be counted from a third camera."""
    return right.baseline - left.baseline


def rows_correspond(left: Calibration, right: Calibration) -> bool:
    """Whether two cameras are calibrated as a stereo pair: equal rows, and a baseline along x."""
    return not why_no_pair(left, right)


def why_no_pair(
    left: Calibration, right: Calibration, names: tuple[str, str] = ("left", "right")
) -> str:
    """Why two cameras are not calibrated as a stereo pair, in words; empty when they are.

    Args:
        left: the left camera.
        right: the right camera.
        names: of both in the sentence.
    """
    cameras = []
    for calibration, name in zip((left, right), names, strict=True):
        fx, _, cx, _, _, fy, cy = calibration.projection[:7]
        if not (fx > 0 and fy > 0):
            return f"{name} is not calibrated: fx and fy of P are {fx:g} and {fy:g}"
        cameras.append(Intrinsics(fx, fy, cx, cy))
    if not baseline_of(left, right) > 0:
        first, second = left.projection[3], right.projection[3]
        allowed = f"less than {first:g}, that of {names[0]}" if first else "negative"
        why = "left and right camera_info are swapped, or of the wrong sign"
        if first == second:
            why = "minus the focal length (px) times the baseline (m)"
        return f"P[3] of {names[1]} is {second:g}; it must be {allowed}: {why}"
    return rows_differ(*cameras)


def rows_differ(left: Intrinsics, right: Intrinsics) -> str:
    """Why rows of two eyes do not correspond, in words; empty when they do.

    They may differ by what shifts no row and no disparity by more than 0.1 px within 45 degrees
    of the optical axis, where a difference of focal lengths counts in full: calibrations are
    rounded in their files. The principal points may differ in x by anything.
    """
    fx, fy, cy = (abs(getattr(left, n) - getattr(right, n)) for n in ("fx", "fy", "cy"))
    if fx <= _SAME_PX and fy + cy <= _SAME_PX:
        return ""
    name = max({"fx": fx, "fy": fy, "cy": cy}.items(), key=lambda named: named[1])[0]
    return (
        f"{name} is {getattr(left, name):.10g} of the left camera and {getattr(right, name):.10g} "
        f"of the right one; of rectified eyes no row or disparity may differ by {_SAME_PX:g} px"
    )


class Rectification:
    """Maps of one camera, made once.

    Args:
        calibration: of the camera.

    Attributes:
        calibration: of the camera.
        mask: uint8 [H, W], zero where the rectified image shows nothing of the camera's.

    Raises:
        CalibrationError: when it is not calibrated or its model is not known.
    """

    def __init__(self, calibration: Calibration) -> None:
        distortion = np.array(calibration.distortion, np.float64)
        if calibration.model not in _DISTORTION:
            known = ", ".join(name for name in _DISTORTION if name)
            raise CalibrationError(
                f"distortion model is '{calibration.model}'; allowed are {known}"
            )
        counts = _DISTORTION[calibration.model]
        if len(distortion) not in (0, *counts):
            raise CalibrationError(
                f"distortion model {calibration.model} has {len(distortion)} parameters; it takes "
                f"{' or '.join(map(str, counts))}"
            )
        camera = np.array(calibration.camera).reshape(3, 3)
        projection = np.array(calibration.projection).reshape(3, 4)[:, :3]
        if not (camera[0, 0] > 0 and projection[0, 0] > 0):
            raise CalibrationError("the camera is not calibrated: K or P is zero")
        rotation = np.array(calibration.rotation).reshape(3, 3)
        if not rotation.any():
            rotation = np.eye(3)
        size = (calibration.width, calibration.height)
        if calibration.model == "equidistant" and len(distortion):
            maps = cv2.fisheye.initUndistortRectifyMap(
                camera, distortion, rotation, projection, size, cv2.CV_16SC2
            )
        else:
            maps = cv2.initUndistortRectifyMap(
                camera, distortion, rotation, projection, size, cv2.CV_16SC2
            )
        self.calibration = calibration
        self._maps = maps
        everything = np.full((calibration.height, calibration.width), 255, np.uint8)
        seen = cv2.remap(everything, *maps, cv2.INTER_LINEAR)
        seen = np.where(seen >= 128, np.uint8(255), np.uint8(0))
        kernel = np.ones((2 * _BORDER + 1, 2 * _BORDER + 1), np.uint8)
        self.mask = seen if seen.all() else cv2.erode(seen, kernel)

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A rectified image uint8 [H, W] of one as received.

        Raises:
            CalibrationError: when it has not the calibrated size.
        """
        self._check(image)
        return cv2.remap(image, *self._maps, cv2.INTER_LINEAR)

    def image_mask(self, mask: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        """A mask of the image as received, rectified and without what the camera does not show."""
        if mask is None:
            return None if self.mask.all() else self.mask
        self._check(mask)
        return cv2.remap(mask, *self._maps, cv2.INTER_NEAREST) & self.mask

    def _check(self, image: NDArray[np.uint8]) -> None:
        height, width = image.shape
        if (width, height) != (self.calibration.width, self.calibration.height):
            raise CalibrationError(
                f"image is {width}x{height}, camera_info describes "
                f"{self.calibration.width}x{self.calibration.height}"
            )
