"""The recording that a replay writes: what the nodes would publish, and the cameras beside it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.commands.common.errors import UserError
from coarse_loftr_ros.commands.odometry.setup import choose_mode, make_odometry, own_cameras
from coarse_loftr_ros.commands.replay.cameras import ImageCameras
from coarse_loftr_ros.commands.replay.odometry import ReplayOdometry, RobotFrames
from coarse_loftr_ros.matching.result import StreamResult
from coarse_loftr_ros.messages.names import CORRESPONDENCES, HOMOGRAPHY
from coarse_loftr_ros.odometry.estimate import Odometry
from coarse_loftr_ros.odometry.frames import mounting_of_camera
from coarse_loftr_ros.recordings.bags.messages import (
    calibration_message,
    correspondences_message,
    homography_message,
)
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.cameras import cameras_of_calibrations, counted_from_left
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.frame_sets import FrameSet
from coarse_loftr_ros.recordings.source import Source

__all__ = ["ReplayOutput", "make_replay_odometry"]


class ReplayOutput:
    """Writes one set of frames after the other.

    Args:
        writer: of the recording, open.
        node_name: of the matcher node, in the topics.
        source: of the images.
        cameras: of the images.
        odometry: writes what the odometry node would; ``None`` for nothing.
        stereo: whether there are two cameras.
    """

    def __init__(
        self,
        writer: BagWriter,
        node_name: str,
        source: Source,
        cameras: ImageCameras,
        odometry: ReplayOdometry | None,
        *,
        stereo: bool,
    ) -> None:
        self._topics = source.camera_info_topics
        self._cameras = cameras
        self._odometry = odometry
        self._left: Calibration | None = None
        self._name = "/" + node_name.strip("/")
        self._writer = writer
        self._stereo = stereo
        writer.add_topic(f"{self._name}/correspondences", CORRESPONDENCES)
        writer.add_topic(f"{self._name}/homography", HOMOGRAPHY)
        if self._stereo:
            writer.add_topic(f"{self._name}/stereo/correspondences", CORRESPONDENCES)

    def write(self, recorded: int, frames: FrameSet, result: StreamResult) -> None:
        """Write cameras, matches and odometry of a set of frames.

        Args:
            recorded: time of recording, nanoseconds.
            frames: the images.
            result: their matches.

        Raises:
            BagError: when the recording cannot be written.
        """
        self._write_cameras()
        writer, name = self._writer, self._name
        if result.stereo is not None:
            stereo = correspondences_message(result.stereo)
            writer.write(f"{name}/stereo/correspondences", recorded, stereo)
        temporal = result.temporal
        if temporal is not None:
            writer.write(f"{name}/correspondences", recorded, correspondences_message(temporal))
            writer.write(f"{name}/homography", recorded, homography_message(temporal))
        if self._odometry is None:
            return
        known = self._cameras.known(frames)
        used = known if self._stereo else known[:1]
        cameras = [] if None in used else list(used)
        for message in self._odometry.take(recorded, frames, result, cameras):
            writer.write(*message)

    def _write_cameras(self) -> None:
        for image in self._cameras.passed():
            calibration = image.calibration
            if calibration is None:
                continue
            if image.stream == 0:
                self._left = calibration
            rig = [calibration] if image.stream == 0 else [self._left, calibration]
            described = calibration if None in rig else counted_from_left(rig)[-1]
            message = calibration_message(image.frame, described)
            self._writer.write(self._topics[image.stream], image.recorded, message)


def make_replay_odometry(
    args: argparse.Namespace, streams: Sequence[str | None], source: Source
) -> ReplayOdometry:
    """The odometry that was asked for, once its cameras are known to serve.

    Raises:
        UserError: when options contradict each other, or the cameras do not serve.
    """
    args.mode = None if args.odometry == "auto" else args.odometry
    mode = choose_mode(args, streams, "--odometry")
    for name in ("odom_frame", "base_frame"):
        frame = getattr(args, name)
        if not frame or frame.startswith("/"):
            raise UserError(
                f"--{name.replace('_', '-')} is '{frame}'; it must be a name without a leading '/'"
            )
    if args.odom_frame == args.base_frame:
        raise UserError(f"--odom-frame and --base-frame are both '{args.base_frame}'")
    mounting = _mounting(args.mounting, mode)

    def make(calibrations: Sequence[Calibration]) -> Odometry:
        try:
            return make_odometry(args, mode, cameras_of_calibrations(calibrations), mounting)
        except UserError as error:
            raise RecordingError(str(error)) from error

    make_odometry(args, mode, own_cameras(source, rectify=args.rectify), mounting)
    # As the node: where no length will ever be known, not even the start is sent.
    metres = mode == "stereo" or args.camera_height or args.altitude
    return ReplayOdometry(
        make,
        RobotFrames(args.odom_frame, args.base_frame, mounting),
        args.odometry_name,
        source.report,
        tf=bool(metres) and not args.no_tf,
    )


def _mounting(text: str | None, mode: str) -> Pose:
    """The optical frame in the robot's frame, of ``--mounting``."""
    if text is None:
        pitch = math.pi / 2 if mode == "planar" else 0.0
        return mounting_of_camera((0.0, 0.0, 0.0), (0.0, pitch, 0.0))
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or not all(map(math.isfinite, numbers)):
        raise UserError(f"--mounting is '{text}'; it must be X,Y,Z in m and ROLL,PITCH,YAW in rad")
    return mounting_of_camera(numbers[:3], numbers[3:])
