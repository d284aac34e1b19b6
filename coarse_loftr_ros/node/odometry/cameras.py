"""The cameras whose images were matched, as their camera_info describes them."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo

from coarse_loftr_ros.frame import Intrinsics
from coarse_loftr_ros.node.conversion import calibration_of, intrinsics_of
from coarse_loftr_ros.odometry.observations import StereoRig, check_intrinsics
from coarse_loftr_ros.rectification import Calibration, baseline_of, why_no_pair

__all__ = ["CameraError", "Cameras"]


class CameraError(ValueError):
    """Cameras that odometry cannot work with, in words for the user."""


class Cameras:
    """Keeps the latest camera_info of each camera.

    Args:
        topics: of camera_info, the left or only one first.
    """

    def __init__(self, topics: tuple[str, ...]) -> None:
        self._topics = topics
        self._latest: dict[int, CameraInfo] = {}
        self._calibrations: dict[int, Calibration] = {}

    def take(self, side: int, info: CameraInfo) -> str:
        """A camera_info came.

        Returns:
            What changed since the one before, in words; empty when nothing did.
        """
        before = self._latest.get(side)
        if before is not None and _described(before) == _described(info):
            return ""
        self._latest[side] = info
        calibration = calibration_of(info)
        known = self._calibrations.get(side)
        self._calibrations[side] = calibration
        if known is None or _rectified(known) == _rectified(calibration):
            return ""
        return f"{self._topics[side]} changed from {_words(known)} to {_words(calibration)}"

    def distorted(self) -> list[str]:
        """Topics whose camera has a distortion, so that raw images would be wrong."""
        return [
            self._topics[side]
            for side, calibration in sorted(self._calibrations.items())
            if any(calibration.distortion)
        ]

    def single(self, width: int, height: int) -> Intrinsics:
        """The only camera.

        Args:
            width: of the matched images, px.
            height: of the matched images, px.

        Raises:
            CameraError: when it is not known, not calibrated or another one.
        """
        return self._intrinsics(0, width, height)

    def rig(self, width: int, height: int) -> StereoRig:
        """Both cameras.

        Raises:
            CameraError: when one is not known, not calibrated or another one, or they are no
                rectified pair.
        """
        left, right = (self._intrinsics(side, width, height) for side in (0, 1))
        calibrations = self._calibrations[0], self._calibrations[1]
        problem = why_no_pair(*calibrations, self._topics)
        if problem:
            raise CameraError(f"the cameras are no rectified stereo pair: {problem}")
        return StereoRig(left, right, baseline_of(*calibrations))

    def _intrinsics(self, side: int, width: int, height: int) -> Intrinsics:
        topic = self._topics[side]
        calibration = self._calibrations.get(side)
        if calibration is None:
            raise CameraError(f"no camera_info has come on {topic} yet")
        intrinsics = intrinsics_of(calibration, width, height)
        if intrinsics is not None:
            try:
                check_intrinsics(intrinsics)
            except ValueError as error:
                raise CameraError(f"P of {topic} is no camera: {error}") from error
            return intrinsics
        if (width, height) != (calibration.width, calibration.height):
            raise CameraError(
                f"{topic} describes images of {calibration.width}x{calibration.height}, the "
                f"correspondences are of {width}x{height}"
            )
        fx, fy = calibration.projection[0], calibration.projection[5]
        raise CameraError(
            f"{topic} is not calibrated: fx and fy of P are {fx:g} and {fy:g}; they must be "
            "positive"
        )


def _described(info: CameraInfo) -> tuple:
    """All of a camera_info that matters, cheap to compare."""
    roi = info.roi
    return (
        info.width,
        info.height,
        info.binning_x,
        info.binning_y,
        (roi.x_offset, roi.y_offset, roi.width, roi.height),
        info.p.tobytes(),
        info.d.tobytes(),
    )


def _rectified(calibration: Calibration) -> tuple:
    """What makes the camera of the rectified image."""
    return calibration.width, calibration.height, calibration.projection


def _words(calibration: Calibration) -> str:
    fx, _, cx, _, _, fy, cy = calibration.projection[:7]
    return (
        f"{calibration.width}x{calibration.height} fx {fx:g} fy {fy:g} cx {cx:g} cy {cy:g} "
        f"baseline {calibration.baseline + 0.0:g}"  # no -0
    )
