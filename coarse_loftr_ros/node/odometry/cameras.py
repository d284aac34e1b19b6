"""The cameras whose images were matched, as their camera_info describes them."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo

from coarse_loftr_ros.cameras.calibration import (
    CalibrationError,
    baseline_of,
    same_projection,
    why_no_pair,
)
from coarse_loftr_ros.cameras.camera_info import LatestCamera, describe, intrinsics_of
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.odometry.observations import StereoRig

__all__ = ["CameraError", "LatestCameras"]


class CameraError(ValueError):
    """Cameras that odometry cannot work with, in words for the user."""


class LatestCameras:
    """Keeps the latest camera_info of each camera that can be used.

    Args:
        topics: of camera_info, the left or only one first.
    """

    def __init__(self, topics: tuple[str, ...]) -> None:
        self._topics = topics
        self._cameras = [LatestCamera() for _ in topics]

    def take(self, side: int, info: CameraInfo) -> str:
        """A camera_info came.

        Returns:
            What changed since the one before, in words; empty when nothing did.
        """
        camera = self._cameras[side]
        before = camera.calibration
        if not camera.take(info) or before is None:
            return ""
        after = camera.calibration
        if same_projection(before, after):
            return ""
        return f"{self._topics[side]} changed from {describe(before)} to {describe(after)}"

    def problem(self, side: int) -> str:
        """Why the newest camera_info of a camera is not used; empty when it is, or none came."""
        problem = self._cameras[side].problem
        return problem and f"{self._topics[side]} left out: {problem}"

    def distorted(self) -> list[str]:
        """Topics whose camera has a distortion, so that raw images would be wrong."""
        return [
            topic
            for topic, camera in zip(self._topics, self._cameras, strict=True)
            if camera.calibration is not None and any(camera.calibration.distortion)
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
        calibrations = [camera.calibration for camera in self._cameras]
        problem = why_no_pair(*calibrations, self._topics)
        if problem:
            raise CameraError(f"the cameras are no rectified stereo pair: {problem}")
        return StereoRig(left, right, baseline_of(*calibrations))

    def _intrinsics(self, side: int, width: int, height: int) -> Intrinsics:
        topic = self._topics[side]
        calibration = self._cameras[side].calibration
        if calibration is None:
            raise CameraError(self.problem(side) or f"no camera_info has come on {topic} yet")
        try:
            return intrinsics_of(calibration, width, height)
        except CalibrationError as error:
            raise CameraError(f"{topic}: {error}") from error
