"""``coarse-loftr replay``: the node's pipeline over a recording, in order and without drops."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.mask_options import (
    add_mask_options,
    add_motion_mask_option,
    with_masks,
)
from coarse_loftr_ros.commands.common.options import (
    ROW_TOLERANCE_PX,
    add_length_options,
    add_pipeline_options,
    make_pipeline,
    make_policy,
)
from coarse_loftr_ros.commands.common.source_options import (
    add_source_options,
    check_topic_name,
    chosen_streams,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coarse_loftr_ros.matching.result import StreamResult
    from coarse_loftr_ros.recordings.frame_sets import FrameSet, FrameSets
    from coarse_loftr_ros.recordings.replays.cameras import ImageCameras
    from coarse_loftr_ros.recordings.source import Source

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "replay",
        help="match the images of a recording, a video or a folder, without ROS",
        description="Run the node's pipeline over a recording in order, without drops and with "
        "the same result on every run, and write what the nodes would publish, with camera_info "
        "beside it, so that the odometry node can be run on what is written.",
    )
    parser.add_argument(
        "source",
        type=Path,
        metavar="BAG",
        help="rosbag2 folder, .mcap or .db3 file; or a video file, or a folder of images, also in "
        "the layout of KITTI, EuRoC or TUM",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT.mcap",
        help="recording to write: .mcap or .db3, or a name without either for a rosbag2 folder",
    )
    parser.add_argument("--force", action="store_true", help="replace the recording OUT")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write what became of the images to this file"
    )
    add_source_options(parser)
    parser.add_argument(
        "--rectify",
        action="store_true",
        help="undistort and rectify each image as its camera_info, or EuRoC's sensor.yaml, says",
    )
    parser.add_argument(
        "--row-tolerance",
        type=float,
        metavar="PX",
        help="stereo: of rectified images, reject matches of left with right whose rows differ by "
        f"more; 0 rejects none (default: {ROW_TOLERANCE_PX:g} where the cameras say that rows "
        "correspond, as the node does it)",
    )
    parser.add_argument(
        "--node-name", default="matcher", help="name in the topics of OUT (default: %(default)s)"
    )
    _add_odometry_options(parser)
    add_mask_options(parser)
    add_motion_mask_option(parser)
    add_pipeline_options(parser)
    return parser


def _add_odometry_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "odometry", "What the odometry node would publish, with its defaults, needs -o."
    )
    group.add_argument(
        "--odometry",
        nargs="?",
        const="auto",
        choices=("auto", "stereo", "mono", "planar"),
        metavar="MODE",
        help="also write nav_msgs/Odometry, coarse_loftr_msgs/RelativePose and, where lengths are "
        "metres, /tf; stereo, mono or planar (without MODE: stereo of two streams, mono of one)",
    )
    group.add_argument(
        "--mounting",
        metavar="X,Y,Z,ROLL,PITCH,YAW",
        help="the camera's body on the robot, m and rad (default: at its origin, looking ahead, or "
        "straight down in mode planar)",
    )
    group.add_argument("--odom-frame", default="odom", help="default: %(default)s")
    group.add_argument("--base-frame", default="base_link", help="default: %(default)s")
    group.add_argument("--no-tf", action="store_true", help="write no /tf")
    group.add_argument(
        "--odometry-name",
        default="odometry",
        help="name of the odometry node in the topics of OUT (default: %(default)s)",
    )
    add_length_options(group)


def run(args: argparse.Namespace) -> int:
    """Replay and report."""
    import time

    from coarse_loftr_ros.backends.base import BackendError
    from coarse_loftr_ros.commands.common.json_report import write_report
    from coarse_loftr_ros.commands.common.recording import (
        input_json,
        open_recording,
        print_stereo_gap,
        progress,
    )
    from coarse_loftr_ros.commands.replay.odometry import make_replay_odometry
    from coarse_loftr_ros.commands.replay.tally import Tally
    from coarse_loftr_ros.recordings.bags.types import BagError
    from coarse_loftr_ros.recordings.bags.writer import BagWriter
    from coarse_loftr_ros.recordings.errors import RecordingError
    from coarse_loftr_ros.recordings.frame_sets import FrameSets
    from coarse_loftr_ros.recordings.opening import choose_streams
    from coarse_loftr_ros.recordings.replays.cameras import ImageCameras
    from coarse_loftr_ros.recordings.replays.output import ReplayOutput

    for option in ("--node-name", "--odometry-name"):
        check_topic_name(option, getattr(args, option.strip("-").replace("-", "_")))
    if args.output is not None:
        _check_apart(args.output, args.source)
    elif args.odometry is not None:
        raise UserError("--odometry writes into a recording: name it with -o")
    one_camera = args.odometry in ("mono", "planar")
    streams = choose_streams(args.source, chosen_streams(args), both=not one_camera)
    stereo = len(streams) > 1
    tally = Tally()
    with (
        as_user_error(BackendError, BagError, RecordingError),
        open_recording(args, streams) as source,
    ):
        odometry = None if args.odometry is None else make_replay_odometry(args, streams, source)
        start = time.perf_counter()
        images = with_masks(args, progress(source, "replay"))
        cameras = ImageCameras(images, source.report, rectify=args.rectify)
        frame_sets = FrameSets(
            cameras, round(args.tolerance_ms * 1e6) if stereo else None, source.report
        )
        results = _match(args, frame_sets, source, cameras)
        if args.output is None:
            for _, _, result in results:
                tally.add(result)
        else:
            with BagWriter(args.output, replace=args.force) as writer:
                output = ReplayOutput(
                    writer, args.node_name, source, cameras, odometry, stereo=stereo
                )
                for recorded, frames, result in results:
                    output.write(recorded, frames, result)
                    tally.add(result)
        tally.seconds = time.perf_counter() - start
        tally.frames = frame_sets.images
    print(tally.table(source))
    print_stereo_gap(frame_sets)
    if args.json is not None:
        write_report(
            args.json, {"source": args.source.name, "input": input_json(source, frame_sets.pairs)}
        )
    if args.output is not None:
        print(f"\nwritten: {args.output}")
    return 0


def _check_apart(output: Path, source: Path) -> None:
    """Refuse to replace what is read."""
    read = source.resolve()
    if output.resolve() in (read, *read.parents):
        raise UserError(f"{output} is what is read; name another recording to write")


def _match(
    args: argparse.Namespace, frame_sets: FrameSets, source: Source, cameras: ImageCameras
) -> Iterator[tuple[int, FrameSet, StreamResult]]:
    """Time of recording, images and result of each set of frames.

    Raises:
        UserError: when there is not one image.
    """
    from dataclasses import replace

    from coarse_loftr_ros.commands.common.recording import too_few_images
    from coarse_loftr_ros.matching.result import StreamResult
    from coarse_loftr_ros.recordings.replays.cameras import on_one_row, seen_by

    pipeline = None
    tolerance = ROW_TOLERANCE_PX if args.row_tolerance is None else args.row_tolerance
    for recorded, frames in frame_sets:
        left, right = frames.left, frames.right
        if pipeline is None:
            size = (left.width, left.height)
            pipeline = make_pipeline(args, make_policy(args), size, _say)
            with as_user_error(ValueError):
                pipeline.match_settings = replace(
                    pipeline.match_settings, row_tolerance_px=tolerance
                )
        if right is None:
            yield recorded, frames, StreamResult(pipeline.process(left))
            continue
        known = cameras.known(frames)
        frames = seen_by(frames, *known)
        # Who names a tolerance says that the images are rectified.
        rows = args.row_tolerance is not None or on_one_row(*known)
        result = pipeline.process_stereo(frames.left, frames.right, rows and tolerance > 0)
        yield recorded, frames, result
    if frame_sets.images == 0:
        raise too_few_images(source)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
