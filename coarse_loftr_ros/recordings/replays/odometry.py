"""What the odometry node would publish of the matches of a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from coarse_loftr_ros.cameras.calibration import Calibration, same_projection
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.result import StreamResult
from coarse_loftr_ros.odometry.estimate import Odometry
from coarse_loftr_ros.odometry.velocity import VelocityTracker
from coarse_loftr_ros.recordings.bags.messages import header_of
from coarse_loftr_ros.recordings.bags.odometry_messages import (
    odometry_message,
    relative_pose_message,
    tf_message,
)
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.frame_sets import FrameSet
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.trajectories.matcher_streams import (
    stereo_matches_of,
    temporal_matches_of,
)

__all__ = ["ReplayOdometry", "RobotFrames"]

_Message = tuple[str, int, Any]
"""Topic, time of recording, message."""


@dataclass(frozen=True)
class RobotFrames:
    """Names of frames, and where the camera is.

    Attributes:
        odom: where the path starts.
        base: of the robot.
        mounting: the camera's optical frame in the robot's.
    """

    odom: str
    base: str
    mounting: Pose


class ReplayOdometry:
    """Follows the robot as the odometry node does, which gets matches and cameras alone.

    The image at which the matcher starts waits for the first one that is matched with it.
    Another camera than before starts over; matches of cameras that do not serve are left out.

    Args:
        make: an odometry for the cameras of left and right; raises ``RecordingError`` for those
            that do not serve.
        frames: names of frames, and the mounting.
        name: of the node, in the topics.
        report: counts the frame sets that are left out.
        tf: whether its pose also goes to /tf, while lengths are metres.
    """

    def __init__(
        self,
        make: Callable[[list[Calibration]], Odometry],
        frames: RobotFrames,
        name: str,
        report: InputReport,
        *,
        tf: bool,
    ) -> None:
        self._make = make
        self._report = report
        self._frames = frames
        self._topic = f"/{name.strip('/')}"
        self._tf = tf
        self._odometry: Odometry | None = None
        self._velocity: VelocityTracker | None = None
        self._cameras: list[Calibration] = []
        self._pending: tuple[int, FrameSet, StreamResult] | None = None

    def take(
        self, recorded: int, frames: FrameSet, result: StreamResult, cameras: list[Calibration]
    ) -> Iterator[_Message]:
        """Use the matches of a frame set.

        Args:
            recorded: time of recording, nanoseconds.
            frames: the images.
            result: their matches.
            cameras: of left and right, rectified; empty where they are not known.

        Yields:
            Messages to record.
        """
        if not cameras:
            return
        known = self._cameras
        if not (known and all(map(same_projection, known, cameras))):
            self._cameras, self._odometry, self._pending = cameras, None, None
        if self._odometry is None:
            try:
                self._odometry = self._make(cameras)
            except RecordingError as error:
                name = f"the image at {frames.left.stamp / 1e9:.3f} s"
                self._report.reject("odometry", name, str(error))
                return
            self._velocity = VelocityTracker(self._frames.mounting, self._odometry.settings)
        if result.temporal is None:
            self._pending = recorded, frames, result
            return
        if self._pending is not None:
            _, first, matched = self._pending
            self._pending = None
            yield from self._estimate(recorded, first, matched)
        yield from self._estimate(recorded, frames, result)

    def _estimate(
        self, recorded: int, frames: FrameSet, result: StreamResult
    ) -> Iterator[_Message]:
        stamp, temporal = frames.left.stamp, result.temporal
        estimate = self._odometry.update(
            None if temporal is None else temporal_matches_of(temporal),
            None if result.stereo is None else stereo_matches_of(result.stereo),
            stamp=stamp,
        )
        robot = self._frames
        velocity = self._velocity.update(estimate)
        message = odometry_message(estimate, velocity, robot.mounting, robot.odom, robot.base)
        yield f"{self._topic}/odometry", recorded, message
        if self._tf and estimate.metric:
            yield "/tf", recorded, tf_message(message)
        current: Frame = frames.left
        reference = current if temporal is None else temporal.reference
        relative = relative_pose_message(
            estimate, velocity, header_of(current), header_of(reference)
        )
        yield f"{self._topic}/relative_pose", recorded, relative
