"""Raw camera images to undistorted, row-aligned ones, as the calibration says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.frame import Intrinsics
from coarse_loftr_ros.lens import LensError, lens_of

__all__ = [
    "Calibration",
    "CalibrationError",
    "Rectification",
    "baseline_of",
    "check_projection",
    "rows_correspond",
    "rows_differ",
    "why_no_pair",
]

# Px around the edge of the camera's image on whose warped border no match may lie.
_BORDER = 8
# The longest side that OpenCV maps.
_LONGEST_SIDE = 32766
# Of the rectified image; a right calibration shows many times this.
_LEAST_SEEN = 0.05
# Focal lengths per longer side of the image: a view of 179 degrees, and one of 20 arc seconds.
_FOCAL_PER_SIDE = 0.01, 1e4
# The optical axis may lie outside of the image (a region of it), by focal lengths: 89 degrees.
_FARTHEST_AXIS = 100
# A camera from the first one of its rig, m.
_FARTHEST_CAMERA = 1000.0
# A rectified image magnifies or reduces the camera's by less than this.
_MOST_ZOOM = 20
# A rotation's rows are of unit length and at right angles but for the digits that were printed.
_ROTATION_TOLERANCE = 5e-3
# Rows that are looked at together, so that what is computed of them stays small.
_STRIP = 64
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
        model: of the distortion, see ``lens``.
        distortion: its parameters; none for an image without distortion.
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
    _check_camera("P", projection, 4, calibration)
    for number, focal in ((3, projection[0]), (7, projection[5]), (11, 1.0)):
        if abs(projection[number]) > _FARTHEST_CAMERA * focal:
            raise CalibrationError(
                f"P[{number}] of camera_info is {projection[number]:g}, which is a camera "
                f"{abs(projection[number]) / focal:g} m from its rig's first; at most "
                f"{_FARTHEST_CAMERA:g} m are allowed"
            )


class Rectification:
    """Maps of one camera, made once, with the first image of the calibrated size.

    Args:
        calibration: of the camera.

    Attributes:
        calibration: of the camera.

    Raises:
        CalibrationError: when it is not calibrated, its model is not known, or it cannot be.
    """

    def __init__(self, calibration: Calibration) -> None:
        check_projection(calibration)
        _check_camera("K", calibration.camera, 3, calibration)
        if max(calibration.width, calibration.height) > _LONGEST_SIDE:
            raise CalibrationError(
                f"camera_info describes images of {calibration.width}x{calibration.height}; to be "
                f"rectified they must have at most {_LONGEST_SIDE} px on a side"
            )
        raw, rectified = calibration.camera[0], calibration.projection[0]
        if not 1 / _MOST_ZOOM < rectified / raw < _MOST_ZOOM:
            raise CalibrationError(
                f"the focal length is {raw:g} px in K and {rectified:g} px in P; they must not "
                f"differ {_MOST_ZOOM} times"
            )
        self._rotation = _rotation(calibration.rotation)
        try:
            self._lens = lens_of(calibration.model, calibration.distortion)
        except LensError as error:
            raise CalibrationError(str(error)) from error
        self.calibration = calibration
        self._maps: _Maps | None = None
        self._refusal = ""

    @property
    def mask(self) -> NDArray[np.uint8]:
        """uint8 [H, W], zero where the rectified image shows nothing of the camera's.

        Raises:
            CalibrationError: when it shows nothing anywhere.
        """
        return self._made().mask

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A rectified image uint8 [H, W] of one as received.

        Raises:
            CalibrationError: when it has not the calibrated size, or would show nothing.
        """
        self._check(image)
        return self._made().remap(image, cv2.INTER_LINEAR)

    def image_mask(self, mask: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        """A mask of the image as received, rectified and without what the camera does not show.

        Raises:
            CalibrationError: as ``image``.
        """
        if mask is None:
            return None if self.mask.all() else self.mask
        self._check(mask)
        return self._made().remap(mask, cv2.INTER_NEAREST) & self.mask

    def _check(self, image: NDArray[np.uint8]) -> None:
        height, width = image.shape
        self.calibration.check_size(width, height)

    def _made(self) -> _Maps:
        """The maps; a calibration that was refused is not tried anew."""
        if self._refusal:
            raise CalibrationError(self._refusal)
        if self._maps is None:
            maps = self._make()
            seen = np.count_nonzero(maps.mask) / maps.mask.size
            if seen < _LEAST_SEEN:
                self._refusal = (
                    f"{100 * seen:.0f} % of the rectified image would show anything of the "
                    f"camera's, and {100 * _LEAST_SEEN:.0f} % must: K, the distortion, R and P of "
                    "camera_info do not fit together"
                )
                raise CalibrationError(self._refusal)
            self._maps = maps
        return self._maps

    def _make(self) -> _Maps:
        calibration = self.calibration
        camera = np.reshape(calibration.camera, (3, 3))
        projection = np.reshape(calibration.projection, (3, 4))[:, :3]
        size = (calibration.width, calibration.height)
        # Not fixed-point maps at once, in which places far outside of the image wrap around.
        initialise = (
            cv2.fisheye.initUndistortRectifyMap
            if self._lens.fisheye
            else cv2.initUndistortRectifyMap
        )
        lens = np.array(self._lens.parameters, np.float64)
        x, y = initialise(camera, lens, self._rotation, projection, size, cv2.CV_32FC1)
        seen = _upright(x, y)
        unseen = seen == 0
        if unseen.any():
            seen = self._around_axis(seen)
            unseen = seen == 0
            x[unseen] = y[unseen] = -2.0  # black
            seen = cv2.erode(seen, np.ones((2 * _BORDER + 1, 2 * _BORDER + 1), np.uint8))
        return _Maps(*cv2.convertMaps(x, y, cv2.CV_16SC2), seen)

    def _around_axis(self, seen: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The connected part that holds the camera's optical axis, where it can be seen.

        Beyond where a lens's polynomial turns back, it may show the image once more upside down.
        """
        projection = np.reshape(self.calibration.projection, (3, 4))[:, :3]
        u, v, w = projection @ self._rotation[:, 2]
        height, width = seen.shape
        if not (w > 0 and 0 <= u < width * w and 0 <= v < height * w):
            return seen
        _, parts = cv2.connectedComponents(seen, connectivity=4)
        part = parts[int(v / w), int(u / w)]
        return np.where(parts == part, seen, np.uint8(0))


@dataclass(frozen=True, eq=False)
class _Maps:
    """Where each pixel of the rectified image lies in the camera's.

    Attributes:
        places: int16 [H, W, 2], whole px.
        fractions: uint16 [H, W], numbers in OpenCV's table of interpolations.
        mask: uint8 [H, W].
    """

    places: NDArray[np.int16]
    fractions: NDArray[np.uint16]
    mask: NDArray[np.uint8]

    def remap(self, image: NDArray[np.uint8], interpolation: int) -> NDArray[np.uint8]:
        return cv2.remap(image, self.places, self.fractions, interpolation)


def _upright(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.uint8]:
    """uint8 [H, W], 255 where the map lies in the camera's image and does not mirror it.

    It is mirrored where a lens's polynomial turns back, and where a ray comes from behind.
    """
    height, width = x.shape
    seen = np.zeros((height, width), np.uint8)
    with np.errstate(invalid="ignore", over="ignore"):
        for top in range(0, height, _STRIP):
            # One row and column more, to have neighbours; of the last ones those before.
            rows = slice(max(0, min(top, height - 2)), top + _STRIP + 1)
            u, v = x[rows], y[rows]
            inside = (u > -0.5) & (u < width - 0.5) & (v > -0.5) & (v < height - 0.5)
            if min(u.shape) > 1:
                right_u, right_v = np.diff(u, axis=1)[:-1], np.diff(v, axis=1)[:-1]
                down_u, down_v = np.diff(u, axis=0)[:, :-1], np.diff(v, axis=0)[:, :-1]
                upright = right_u * down_v - right_v * down_u > 0
                inside &= np.pad(upright, ((0, 1), (0, 1)), "edge")
            seen[rows] = np.where(inside, 255, 0)
    return seen


def _check_camera(
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


def _rotation(values: Sequence[float]) -> NDArray[np.float64]:
    """R as a matrix; zeros, which nobody filled in, are no turn.

    Raises:
        CalibrationError: when it is no rotation.
    """
    rotation = np.reshape(np.array(values, np.float64), (3, 3))
    if not rotation.any():
        return np.eye(3)
    # Of larger values the products could overflow.
    small = np.isfinite(rotation).all() and np.abs(rotation).max() < 2
    if small:
        error = np.abs(rotation @ rotation.T - np.eye(3)).max()
        if error < _ROTATION_TOLERANCE and np.linalg.det(rotation) > 0:
            return rotation
    raise CalibrationError(
        "R of camera_info is no rotation: its rows must be of length 1 and at right angles, "
        "right-handed, or all 0"
    )
