"""What ``coarse-loftr odometry`` works with: streams, cameras, matcher, odometry, truth."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

from coarse_loftr_ros.cameras.calibration import CalibrationError
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.commands.common.calib_option import (
    calib_usage,
    own_calibrations,
    parse_cameras,
)
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.mask_options import with_masks
from coarse_loftr_ros.commands.common.options import ROW_TOLERANCE_PX, make_pipeline, make_policy
from coarse_loftr_ros.commands.common.recording import progress
from coarse_loftr_ros.odometry.estimate import Odometry
from coarse_loftr_ros.recordings.cameras import CameraRig, cameras_of_calibrations
from coarse_loftr_ros.recordings.frame_sets import FrameSet
from coarse_loftr_ros.recordings.one_camera import of_one_camera, of_one_size
from coarse_loftr_ros.recordings.source import Source, SourceImage
from coarse_loftr_ros.recordings.trajectories.matcher_streams import (
    MatcherStream,
    OwnStream,
    PairStream,
)
from coarse_loftr_ros.recordings.trajectories.modes import make_mode

__all__ = [
    "choose_mode",
    "find_cameras",
    "find_images",
    "make_odometry",
    "make_stream",
    "own_cameras",
]


def choose_mode(
    args: argparse.Namespace, streams: Sequence[str | None], option: str = "--mode"
) -> str:
    """The mode that was asked for, or the one that the streams allow.

    Args:
        args: of the command.
        streams: that were chosen.
        option: the command's name of the mode.

    Raises:
        UserError: when mode and streams contradict each other.
    """
    mode = args.mode or ("stereo" if len(streams) > 1 else "mono")
    if (mode == "stereo") != (len(streams) > 1):
        raise UserError(
            f"{option} stereo needs two streams: --left and --right, or a folder with two eyes in "
            "KITTI's or EuRoC's layout"
            if mode == "stereo"
            else f"{option} {mode} takes one stream: choose it with --topic"
        )
    for name, value, needed in (
        ("--camera-height", args.camera_height, "mono"),
        ("--altitude", args.altitude, "planar"),
        ("--window", args.window or None, "stereo"),
    ):
        if value is not None and mode != needed:
            raise UserError(f"{name} is for {option} {needed}, and the mode is {mode}")
    return mode


def find_cameras(args: argparse.Namespace, source: Source, streams: int) -> CameraRig:
    """The cameras that were given, or those that come with the images.

    Raises:
        UserError: when there are none, or the images are raw and are to be taken as rectified.
    """
    if args.calib is not None:
        if args.rectify:
            raise UserError(
                "--rectify needs the cameras of the recording, and --calib replaces them"
            )
        return parse_cameras(args.calib, streams)
    return own_cameras(source, rectify=args.rectify, instead=calib_usage(streams))


def own_cameras(source: Source, *, rectify: bool, instead: str = "") -> CameraRig:
    """The cameras that come with the images.

    Args:
        source: of the images.
        rectify: whether the images become rectified.
        instead: what the user can give instead of them, where the command takes it.

    Raises:
        UserError: when there are none, or the images are raw and are to be taken as rectified.
    """
    calibrations = own_calibrations(source, instead)
    if not calibrations:
        give = f": give {instead}" if instead else " (camera_info, calib.txt or sensor.yaml)"
        raise UserError(f"{source.description} comes without a calibration{give}")
    if source.raw and not rectify:
        otherwise = ", or of images that were rectified since, their --calib" if instead else ""
        raise UserError(
            f"{source.description}: the images are raw, distorted by the lens and not aligned by "
            f"row: give --rectify{otherwise}"
        )
    return cameras_of_calibrations(calibrations)


def find_images(args: argparse.Namespace, source: Source) -> Iterable[SourceImage]:
    """The source's images of the cameras, behind a progress bar, rectified where asked for.

    Raises:
        UserError: when they cannot be rectified.
    """
    images = with_masks(args, progress(source, "odometry"))
    if args.calib is not None:
        return of_one_size(images, source.report)
    calibrations = source.calibrations()
    if not args.rectify and any(any(each.distortion) for each in calibrations):
        print(
            "camera_info has a distortion, and images are taken as rectified already "
            "(image_rect); raw ones need --rectify",
            file=sys.stderr,
        )
    with as_user_error(CalibrationError):
        return of_one_camera(images, calibrations, source.report, rectify=args.rectify)


def make_odometry(
    args: argparse.Namespace, mode: str, cameras: CameraRig, mounting: Pose | None = None
) -> Odometry:
    """The odometry of a mode.

    Args:
        args: with the options of ``add_length_options``.
        mode: ``stereo``, ``mono`` or ``planar``.
        cameras: rectified.
        mounting: the optical frame in the robot's, which says where down is; without it a camera
            of mode mono looks ahead, and one of mode planar straight down.

    Raises:
        UserError: when cameras or settings do not serve.
    """
    down = None if mounting is None else tuple((-mounting.rotation[2]).tolist())
    with as_user_error(ValueError):
        return make_mode(
            mode,
            cameras,
            window=args.window,
            camera_height_m=args.camera_height,
            altitude_m=args.altitude,
            down=down,
        )


def make_stream(args: argparse.Namespace, first: FrameSet) -> MatcherStream:
    """The matcher that was asked for, made for images of the first one's size."""
    if args.matcher == "own":
        size = first.left.width, first.left.height
        pipeline = make_pipeline(args, make_policy(args), size)
        pipeline.match_settings = replace(
            pipeline.match_settings, row_tolerance_px=ROW_TOLERANCE_PX
        )
        return OwnStream(pipeline)
    from coarse_loftr_ros.features.orb import Orb
    from coarse_loftr_ros.features.sift import Sift

    matcher = Sift() if args.matcher == "sift" else Orb()
    return PairStream(matcher, make_policy(args), ROW_TOLERANCE_PX)
