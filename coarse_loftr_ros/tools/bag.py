"""``coarse-loftr bag``: recordings of images, for ``ros2 bag play``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.tools.errors import UserError, as_user_error

if TYPE_CHECKING:
    from coarse_loftr_ros.bags.writer import BagWriter
    from coarse_loftr_ros.evaluation.trajectory import Trajectory
    from coarse_loftr_ros.recordings.cameras import Cameras
    from coarse_loftr_ros.recordings.source import Source

__all__ = ["add_parser", "run"]

# Times that begin before this are counted from here: 0 means "no time yet" to ROS.
_START_NS = 1_750_000_000_000_000_000
_EARLIEST_NS = 1_000_000_000_000_000_000
_TRUTH = "/ground_truth/pose"
_OPTICAL_FRAMES = ("camera_optical_frame", "right_camera_optical_frame")


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "bag",
        help="make a recording of images, for 'ros2 bag play'",
        description="Make recordings that 'ros2 bag play' plays to the nodes.",
    )
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    images = steps.add_parser(
        "from-images",
        help="of a folder of images, with or without a calibration and a true path",
        description="Record a folder of rectified images (mono8) under the topics that the nodes "
        "subscribe to: /image, or /left/image and /right/image of a folder in KITTI's layout, "
        "and camera_info beside them where there is a calibration. A true path is recorded as "
        f"geometry_msgs/PoseStamped on {_TRUTH}: base_link in odom as REP-105 has it, both "
        "x forward, y left, z up (REP-103), where base_link is the (left) camera's body and odom "
        "is where it was at the first image.",
    )
    images.add_argument(
        "source",
        type=Path,
        metavar="DIR",
        help="images, or image_0 and image_1 with calib.txt, poses.txt and times.txt, each of "
        "them optional",
    )
    images.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT.mcap",
        help="recording to write: .mcap or .db3, or a name without either for a rosbag2 folder",
    )
    images.add_argument("--force", action="store_true", help="replace the recording OUT")
    images.add_argument(
        "--rate",
        type=float,
        default=10.0,
        metavar="HZ",
        help="images per second without times.txt (default: %(default)s)",
    )
    images.add_argument(
        "--calib",
        metavar="FILE|NUMBERS",
        help="KITTI calibration file, or FX,FY,CX,CY in px and for stereo the baseline in metres "
        "as fifth (default: that of the folder)",
    )
    images.add_argument(
        "--truth",
        type=Path,
        metavar="FILE",
        help="true path of the (left) optical frame: TUM, KITTI or Open3D's log (default: "
        "poses.txt of the folder)",
    )
    images.add_argument(
        "--namespace", default="", metavar="NAME", help="before all topics (default: none)"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Write the recording."""
    from coarse_loftr_ros.bags.types import BagError
    from coarse_loftr_ros.bags.writer import BagWriter
    from coarse_loftr_ros.recordings.errors import RecordingError
    from coarse_loftr_ros.recordings.kitti import kitti_streams
    from coarse_loftr_ros.recordings.opening import open_source
    from coarse_loftr_ros.tools.calib_option import parse_cameras
    from coarse_loftr_ros.tools.options import check_topic_name

    if not args.source.is_dir():
        raise UserError(f"{args.source} is not a folder of images")
    if not args.rate > 0:
        raise UserError(f"--rate is {args.rate}; it must be positive")
    if args.namespace.strip("/"):
        check_topic_name("--namespace", args.namespace)
    streams = kitti_streams(args.source)
    with (
        as_user_error(BagError, RecordingError),
        open_source(args.source, streams, args.rate) as source,
    ):
        cameras = parse_cameras(args.calib) if args.calib else source.cameras()
        if cameras is not None and len(streams) > 1:
            cameras.rig()  # refuses what is not rectified
        with BagWriter(args.output, replace=args.force) as writer:
            counts = _write(args, writer, source, len(streams) > 1, cameras)
    for topic, count in counts.items():
        print(f"{topic}: {count}")
    print(f"written: {args.output}")
    return 0


def _write(
    args: argparse.Namespace,
    writer: BagWriter,
    source: Source,
    stereo: bool,
    cameras: Cameras | None,
) -> dict[str, int]:
    """Messages written, by topic."""
    from dataclasses import replace

    from coarse_loftr_ros.bags.messages import camera_info_message, image_message
    from coarse_loftr_ros.tools.recording import progress
    from coarse_loftr_ros.tools.truth import find_truth

    namespace = f"/{args.namespace.strip('/')}" if args.namespace.strip("/") else ""
    rooms = [f"{namespace}/left", f"{namespace}/right"] if stereo else [namespace]
    counts: dict[str, int] = {}

    def write(topic: str, stamp: int, message: Any) -> None:
        writer.write(topic, stamp, message)
        counts[topic] = counts.get(topic, 0) + 1

    offset, stamps = 0, []
    for image in progress(source, "bag"):
        if not stamps and image.frame.stamp < _EARLIEST_NS:
            offset = _START_NS
        if image.stream == 0:
            stamps.append(image.frame.stamp)
        frame = replace(
            image.frame,
            stamp=image.frame.stamp + offset,
            frame_id=_OPTICAL_FRAMES[image.stream],
        )
        write(f"{rooms[image.stream]}/image", frame.stamp, image_message(frame))
        if cameras is None:
            continue
        camera, baseline = (cameras.right, cameras.baseline_m) if image.stream else (
            cameras.left, 0.0
        )  # fmt: skip
        info = camera_info_message(frame, camera, baseline)
        write(f"{rooms[image.stream]}/camera_info", frame.stamp, info)
    truth = find_truth(args.truth, args.source, stamps)
    if truth is not None:
        for stamp, message in _truth_messages(truth, offset):
            write(f"{namespace}{_TRUTH}", stamp, message)
    return counts


def _truth_messages(truth: Trajectory, offset: int) -> list[tuple[int, Any]]:
    """The path of base_link in odom, and its times."""
    from coarse_loftr_ros.bags.messages import pose_message
    from coarse_loftr_ros.odometry.frames import OPTICAL_IN_BODY, base_in_odom

    messages = []
    path = truth.from_first()
    for each, camera in zip(path.stamps, path.poses, strict=True):
        stamp = int(each) + offset
        messages.append((stamp, pose_message(stamp, "odom", base_in_odom(camera, OPTICAL_IN_BODY))))
    return messages
