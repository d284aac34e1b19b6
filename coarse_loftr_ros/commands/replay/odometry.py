"""The odometry of ``coarse-loftr replay``, of its options."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.commands.common.errors import UserError
from coarse_loftr_ros.commands.odometry.setup import choose_mode, make_odometry, own_cameras
from coarse_loftr_ros.odometry.estimate import Odometry
from coarse_loftr_ros.odometry.frames import mounting_of_camera
from coarse_loftr_ros.recordings.cameras import cameras_of_calibrations
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.replays.odometry import ReplayOdometry, RobotFrames
from coarse_loftr_ros.recordings.source import Source

__all__ = ["make_replay_odometry"]


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
