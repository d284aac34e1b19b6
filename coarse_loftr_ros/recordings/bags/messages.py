"""Frames and match results as messages of a recording."""

from __future__ import annotations

from typing import Any

import numpy as np

from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.messages.matches import MatchMessages
from coarse_loftr_ros.messages.names import CAMERA_INFO
from coarse_loftr_ros.recordings.bags.types import build, class_of

__all__ = [
    "calibration_message",
    "camera_info_message",
    "correspondences_message",
    "header_of",
    "homography_message",
    "image_message",
]

_messages = MatchMessages(class_of, build)
header_of = _messages.header_of
correspondences_message = _messages.correspondences
homography_message = _messages.homography


def image_message(frame: Frame) -> Any:
    """A frame as ``sensor_msgs/Image`` in mono8."""
    return _messages.image(frame.image, header_of(frame))


def camera_info_message(frame: Frame, camera: Intrinsics, baseline_m: float = 0.0) -> Any:
    """The camera of a rectified frame as ``sensor_msgs/CameraInfo``.

    Args:
        frame: the image whose camera it is.
        camera: its intrinsics.
        baseline_m: of a right camera, its distance from the left one, metres.
    """
    projection = np.column_stack([camera.matrix(), [-camera.fx * baseline_m, 0.0, 0.0]])
    values = (tuple(matrix.ravel().tolist()) for matrix in (camera.matrix(), np.eye(3), projection))
    rectified = Calibration(frame.width, frame.height, "plumb_bob", (0.0,) * 5, *values)
    return calibration_message(frame, rectified)


def calibration_message(frame: Frame, calibration: Calibration) -> Any:
    """The camera of a frame, raw or rectified, as ``sensor_msgs/CameraInfo``.

    Args:
        frame: the image whose camera it is.
        calibration: of images of that size.
    """
    return class_of(CAMERA_INFO)(
        header=header_of(frame),
        height=calibration.height,
        width=calibration.width,
        distortion_model=calibration.model,
        d=np.array(calibration.distortion or (0.0,) * 5, np.float64),
        k=np.array(calibration.camera, np.float64),
        r=np.array(calibration.rotation, np.float64),
        p=np.array(calibration.projection, np.float64),
        binning_x=0,
        binning_y=0,
        roi=class_of("sensor_msgs/msg/RegionOfInterest")(0, 0, 0, 0, False),
    )
