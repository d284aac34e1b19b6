"""Frames and match results as messages of a recording."""

from __future__ import annotations

from typing import Any

import numpy as np

from coarse_loftr_ros.bags.types import CORRESPONDENCES, HOMOGRAPHY, IMAGE, typestore
from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.result import MatchResult

__all__ = ["correspondences_message", "homography_message", "image_message"]


def image_message(frame: Frame) -> Any:
    """A frame as ``sensor_msgs/Image`` in mono8."""
    return typestore().types[IMAGE](
        header=_header(frame),
        height=frame.height,
        width=frame.width,
        encoding="mono8",
        is_bigendian=0,
        step=frame.width,
        data=np.ascontiguousarray(frame.image).reshape(-1),
    )


def correspondences_message(result: MatchResult) -> Any:
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


def _common(result: MatchResult) -> dict[str, Any]:
    """The fields with which both messages begin."""
    reference, current = result.reference, result.current
    return {
        "header": _header(current),
        "reference_header": _header(reference),
        "width": current.width,
        "height": current.height,
        "reference_width": reference.width,
        "reference_height": reference.height,
    }


def _header(frame: Frame) -> Any:
    types = typestore().types
    seconds, nanoseconds = divmod(frame.stamp, 1_000_000_000)
    time = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return types["std_msgs/msg/Header"](stamp=time, frame_id=frame.frame_id)
