"""Frames and match results as messages of a recording."""

from __future__ import annotations

from typing import Any

import numpy as np

from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.matching.result import MatchResult, StereoMatch
from coarse_loftr_ros.recordings.bags.types import (
    CAMERA_INFO,
    CORRESPONDENCES,
    HOMOGRAPHY,
    IMAGE,
    POSE,
    typestore,
)

__all__ = [
    "calibration_message",
    "camera_info_message",
    "correspondences_message",
    "header_message",
    "homography_message",
    "image_message",
    "pose_message",
]


def image_message(frame: Frame) -> Any:
    """A frame as ``sensor_msgs/Image`` in mono8."""
    return typestore().types[IMAGE](
        header=header_message(frame.stamp, frame.frame_id),
        height=frame.height,
        width=frame.width,
        encoding="mono8",
        is_bigendian=0,
        step=frame.width,
        data=np.ascontiguousarray(frame.image).reshape(-1),
    )


def camera_info_message(frame: Frame, camera: Intrinsics, baseline_m: float = 0.0) -> Any:
    """The camera of a rectified frame as ``sensor_msgs/CameraInfo``.

    Args:
        frame: the image whose camera it is.
        camera: its intrinsics.
        baseline_m: of a right eye, its distance from the left one, metres.
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
    types = typestore().types
    return types[CAMERA_INFO](
        header=header_message(frame.stamp, frame.frame_id),
        height=calibration.height,
        width=calibration.width,
        distortion_model=calibration.model,
        d=np.array(calibration.distortion or (0.0,) * 5, np.float64),
        k=np.array(calibration.camera, np.float64),
        r=np.array(calibration.rotation, np.float64),
        p=np.array(calibration.projection, np.float64),
        binning_x=0,
        binning_y=0,
        roi=types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
    )


def pose_message(stamp: int, frame_id: str, pose: Pose) -> Any:
    """A pose in a frame as ``geometry_msgs/PoseStamped``."""
    types = typestore().types
    return types[POSE](
        header=header_message(stamp, frame_id),
        pose=types["geometry_msgs/msg/Pose"](
            position=types["geometry_msgs/msg/Point"](*map(float, pose.translation)),
            orientation=types["geometry_msgs/msg/Quaternion"](*pose.quaternion),
        ),
    )


def correspondences_message(result: MatchResult | StereoMatch) -> Any:
    """The matches as ``coarse_loftr_msgs/Correspondences``."""
    matches = result.correspondences
    return typestore().types[CORRESPONDENCES](
        **_common(result),
        reference_points=matches.reference_points.reshape(-1),
        current_points=matches.current_points.reshape(-1),
        confidence=matches.confidence,
        inlier=matches.inlier.astype(np.uint8),
        track_id=matches.track_id,
    )


def homography_message(result: MatchResult) -> Any:
    """The homography as ``coarse_loftr_msgs/HomographyStamped``."""
    homography = result.homography
    return typestore().types[HOMOGRAPHY](
        **_common(result),
        matrix=homography.matrix.reshape(-1),
        match_count=homography.match_count,
        inlier_count=homography.inlier_count,
        inlier_ratio=homography.inlier_ratio,
        rms_px=homography.rms_px,
        coverage=homography.coverage,
        status=int(homography.status),
        reason=homography.reason,
    )


def _common(result: MatchResult | StereoMatch) -> dict[str, Any]:
    """The fields with which both messages begin."""
    reference, current = result.reference, result.current
    return {
        "header": header_message(current.stamp, current.frame_id),
        "reference_header": header_message(reference.stamp, reference.frame_id),
        "width": current.width,
        "height": current.height,
        "reference_width": reference.width,
        "reference_height": reference.height,
    }


def header_message(stamp: int, frame_id: str) -> Any:
    """A stamp in nanoseconds and a frame as ``std_msgs/Header``."""
    types = typestore().types
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    time = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return types["std_msgs/msg/Header"](stamp=time, frame_id=frame_id)
