"""Raw camera images to undistorted, row-aligned ones, as the calibration says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.calibration import (
    Calibration,
    CalibrationError,
    check_camera,
    check_projection,
)
from coarse_loftr_ros.cameras.lens import LensError, lens_of

__all__ = ["Rectification"]

# Px around the edge of the camera's image on whose warped border no match may lie.
_BORDER = 8
# The longest side that OpenCV maps.
_LONGEST_SIDE = 32766
# Of the rectified image; a right calibration shows many times this.
_LEAST_SEEN = 0.05
# A rectified image magnifies or reduces the camera's by less than this.
_MOST_ZOOM = 20
# A rotation's rows are of unit length and at right angles but for the digits that were printed.
_ROTATION_TOLERANCE = 5e-3
# Rows that are looked at together, so that what is computed of them stays small.
_STRIP = 64


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
        check_camera("K", calibration.camera, 3, calibration)
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
