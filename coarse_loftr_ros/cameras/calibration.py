"""Cameras by their calibration: what it says, what it cannot be, and which two are a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coarse_loftr_ros.images.frame import Intrinsics

__all__ = [
    "Calibration",
    "CalibrationError",
    "baseline_of",
    "check_camera",
    "check_projection",
    "differing_value",
    "rows_correspond",
    "rows_differ",
    "same_projection",
    "why_no_pair",
]

# Focal lengths per longer side of the image: a view of 179 degrees, and one of 20 arc seconds.
_FOCAL_PER_SIDE = 0.01, 1e4
# The optical axis may lie outside of the image (a region of it), by focal lengths: 89 degrees.
_FARTHEST_AXIS = 100
# A camera from the first one of its rig, m.
_FARTHEST_CAMERA = 1000.0
# By how much rows and disparities of a rectified pair may be wrong, px.
_SAME_PX = 0.1
# What is printed with few digits, or refined while the camera runs, is still the same camera.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-4


class CalibrationError(ValueError):
    """A calibration that does not describe the image, in words for the user."""


@dataclass(frozen=True)
class Calibration:
    """A camera as ``sensor_msgs/CameraInfo`` describes it, in px of the image as received.

    Attributes:
        width: of the image, px.
        height: of the image, px.
        model: of the distortion, see ``lens``.
        distortion: its parameters; none for an image without distortion.
        camera: K, 9 values row by row.
        rotation: R, 9 values, from the camera's axes to the rectified ones.
        projection: P, 12 values: the camera of the rectified image; ``projection[3]`` is minus its
            focal length times its place along x in metres, counted from the first camera of its
            rig: the left one, or, of a rig of more cameras, another one.
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

    def check_size(self, width: int, height: int) -> None:
        """Refuse images of another size: which part of the camera's they show is not known.

        An image of half the size may be the whole one reduced, or a part of it; its binning or
        region of interest says so in camera_info, and then the sizes are equal here.

        Raises:
            CalibrationError: with both sizes.
        """
        if (width, height) == (self.width, self.height):
            return
        times = self.width // max(1, width)
        reduced = times > 1 and (width * times, height * times) == (self.width, self.height)
        hint = (
            f" (where whole images are reduced {times} times, camera_info has to say so by "
            f"binning_x and binning_y {times})"
        )
        raise CalibrationError(
            f"image is {width}x{height}, camera_info describes {self.width}x{self.height}"
            + (hint if reduced else "")
        )


def baseline_of(left: Calibration, right: Calibration) -> float:
    """Metres from the left camera to the right one along x; both may count from a third camera."""
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
    """Why rows of two cameras do not correspond, in words; empty when they do.

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
        f"of the right one; of a rectified pair no row or disparity may differ by {_SAME_PX:g} px"
    )


def check_projection(calibration: Calibration) -> None:
    """Refuse a camera that cannot be, by its size and its projection matrix P.

    Raises:
        CalibrationError: naming the value and what is allowed.
    """
    if min(calibration.width, calibration.height) < 1:
        raise CalibrationError(
            f"camera_info describes images of {calibration.width}x{calibration.height}; both sides "
            "must be at least 1"
        )
    projection = calibration.projection
    check_camera("P", projection, 4, calibration)
    for number, focal in ((3, projection[0]), (7, projection[5]), (11, 1.0)):
        if abs(projection[number]) > _FARTHEST_CAMERA * focal:
            raise CalibrationError(
                f"P[{number}] of camera_info is {projection[number]:g}, which is a camera "
                f"{abs(projection[number]) / focal:g} m from its rig's first; at most "
                f"{_FARTHEST_CAMERA:g} m are allowed"
            )


def same_projection(one: Calibration, other: Calibration) -> bool:
    """Whether two rectified cameras are the same one, but for the digits of their values."""
    sizes = [(each.width, each.height) for each in (one, other)]
    return sizes[0] == sizes[1] and differing_value(one.projection, other.projection) is None


def differing_value(before: Sequence[float], now: Sequence[float]) -> int | None:
    """Which of two lists of values of a camera, equally long, is the first that differs."""
    same = np.isclose(now, before, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
    return None if same.all() else int(np.argmin(same))


def check_camera(
    name: str, values: Sequence[float], columns: int, calibration: Calibration
) -> None:
    """Refuse a matrix of a camera that cannot be.

    Raises:
        CalibrationError: naming the value and what is allowed.
    """
    for number, value in enumerate(values):
        if not np.isfinite(value):
            raise CalibrationError(f"{name}[{number}] of camera_info is {value}; it must be finite")
    matrix = np.reshape(values, (3, columns))[:, :3]
    fx, fy = matrix[0, 0], matrix[1, 1]
    if not min(fx, fy) > 0:
        raise CalibrationError(
            f"the camera is not calibrated: fx and fy of {name} are {fx:g} and {fy:g}; they must "
            "be positive"
        )
    side = max(calibration.width, calibration.height)
    least, most = (times * side for times in _FOCAL_PER_SIDE)
    if not (least <= min(fx, fy) and max(fx, fy) <= most):
        raise CalibrationError(
            f"fx and fy of {name} are {fx:g} and {fy:g} px; of images of {calibration.width}x"
            f"{calibration.height} they must be {least:g} to {most:g}"
        )
    cx, cy = matrix[0, 2], matrix[1, 2]
    if abs(cx) > side + _FARTHEST_AXIS * fx or abs(cy) > side + _FARTHEST_AXIS * fy:
        raise CalibrationError(
            f"cx and cy of {name} are {cx:g} and {cy:g} px; they must lie within "
            f"{_FARTHEST_AXIS} focal lengths ({fx:g} and {fy:g} px) of the image"
        )
    rest = matrix - [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    if np.abs(rest[:2]).max() > 1e-3 * min(fx, fy) or np.abs(rest[2]).max() > 1e-6:
        raise CalibrationError(
            f"{name} of camera_info is no camera: the first three values of its rows must be "
            "fx 0 cx, 0 fy cy, 0 0 1"
        )
