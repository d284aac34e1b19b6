"""``coarse-loftr bag``: recordings of images, for ``ros2 bag play``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.source_options import add_strict_option
from coarse_loftr_ros.recordings.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coarse_loftr_ros.images.frame import Frame
    from coarse_loftr_ros.recordings.bags.writer import BagWriter
    from coarse_loftr_ros.recordings.source import Source, SourceImage
    from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

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
        description="Record a folder of images (mono8) under the topics that the nodes "
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
        "them optional; or a sequence of EuRoC or TUM",
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
        help="images per second where times are written nowhere (default: %(default)s)",
    )
    images.add_argument(
        "--calib",
        metavar="FILE|NUMBERS",
        help="KITTI calibration file, with the cameras to take of it as FILE:P2,P3 where it has "
        "more; or FX,FY,CX,CY in px and for stereo the baseline in metres as fifth (default: that "
        "of the folder)",
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
    add_strict_option(images)
    return parser


def run(args: argparse.Namespace) -> int:
    """Write the recording."""
    from coarse_loftr_ros.commands.common.recording import open_recording, rejected_rows
    from coarse_loftr_ros.commands.common.source_options import check_topic_name
    from coarse_loftr_ros.recordings.bags.types import BagError
    from coarse_loftr_ros.recordings.bags.writer import BagWriter
    from coarse_loftr_ros.recordings.opening import choose_streams, is_bag

    if not args.source.is_dir() or is_bag(args.source):
        raise UserError(f"{args.source} is not a folder of images")
    if not args.rate > 0:
        raise UserError(f"--rate is {args.rate}; it must be positive")
    if args.namespace.strip("/"):
        check_topic_name("--namespace", args.namespace)
    streams = choose_streams(args.source, [None], both=True)
    with as_user_error(BagError), open_recording(args, streams) as source:
        images = _Images(args, source, len(streams))
        with BagWriter(args.output, replace=args.force) as writer:
            counts = _write(args, writer, source, images)
    rows = [*((topic, str(count)) for topic, count in counts.items()), *rejected_rows(source)]
    for name, value in rows:
        print(f"{name}: {value}")
    print(f"written: {args.output}")
    return 0


class _Images:
    """The images of a folder and their cameras, those that were given or the folder's own.

    Raises:
        UserError: when two cameras are no stereo pair.
    """

    def __init__(self, args: argparse.Namespace, source: Source, streams: int) -> None:
        from coarse_loftr_ros.commands.common.calib_option import (
            calib_usage,
            own_calibrations,
            parse_cameras,
        )
        from coarse_loftr_ros.recordings.cameras import (
            cameras_of_calibrations,
            counted_from_left,
        )

        self._source = source
        self._given = parse_cameras(args.calib, streams) if args.calib else None
        self._own = [] if self._given else own_calibrations(source, calib_usage(streams))
        self._infos = counted_from_left(self._own)
        cameras = self._given or (cameras_of_calibrations(self._own) if self._own else None)
        if cameras is not None and streams > 1:
            with as_user_error(RecordingError):
                cameras.rig()  # refuses what is not rectified
        self.stereo = streams > 1

    def __iter__(self) -> Iterator[SourceImage]:
        from coarse_loftr_ros.commands.common.recording import progress
        from coarse_loftr_ros.recordings.one_camera import of_one_camera, of_one_size

        images = progress(self._source, "bag")
        if self._own:
            return of_one_camera(images, self._own, self._source.report, rectify=False)
        return of_one_size(images, self._source.report)

    def camera_info(self, image: SourceImage, frame: Frame) -> Any | None:
        """The ``camera_info`` of an image, where its camera is known."""
        from coarse_loftr_ros.recordings.bags.messages import (
            calibration_message,
            camera_info_message,
        )

        if self._given is not None:
            if image.stream == 0:
                return camera_info_message(frame, self._given.left)
            return camera_info_message(frame, self._given.right, self._given.baseline_m)
        if not self._own:
            return None
        return calibration_message(frame, self._infos[image.stream])


def _write(
    args: argparse.Namespace, writer: BagWriter, source: Source, images: _Images
) -> dict[str, int]:
    """Messages written, by topic."""
    from dataclasses import replace

    from coarse_loftr_ros.commands.common.recording import too_few_images
    from coarse_loftr_ros.commands.common.truth import find_truth
    from coarse_loftr_ros.recordings.bags.messages import image_message
    from coarse_loftr_ros.recordings.trajectories.truth import true_path

    namespace = f"/{args.namespace.strip('/')}" if args.namespace.strip("/") else ""
    namespaces = [f"{namespace}/left", f"{namespace}/right"] if images.stereo else [namespace]
    counts: dict[str, int] = {}

    def write(topic: str, stamp: int, message: Any) -> None:
        writer.write(topic, stamp, message)
        counts[topic] = counts.get(topic, 0) + 1

    truth_file = find_truth(args.truth, args.source)
    offset, numbers = 0, {}
    for image in images:
        if not counts and image.stamp < _EARLIEST_NS:
            offset = _START_NS
        if image.stream == 0:
            numbers[image.stamp] = image.number
        frame = replace(
            image.frame, stamp=image.stamp + offset, frame_id=_OPTICAL_FRAMES[image.stream]
        )
        write(f"{namespaces[image.stream]}/image", frame.stamp, image_message(frame))
        info = images.camera_info(image, frame)
        if info is not None:
            write(f"{namespaces[image.stream]}/camera_info", frame.stamp, info)
    if not counts:
        raise too_few_images(source)
    if truth_file is not None:
        with as_user_error(ValueError):
            truth = true_path(truth_file, numbers, source.frame_sets)
        for stamp, message in _truth_messages(truth, offset):
            write(f"{namespace}{_TRUTH}", stamp, message)
    return counts


def _truth_messages(truth: Trajectory, offset: int) -> list[tuple[int, Any]]:
    """The path of base_link in odom, and its times."""
    from coarse_loftr_ros.odometry.frames import OPTICAL_IN_BODY, base_in_odom
    from coarse_loftr_ros.recordings.bags.odometry_messages import pose_message

    messages = []
    path = truth.from_first()
    for each, camera in zip(path.stamps, path.poses, strict=True):
        stamp = int(each) + offset
        messages.append((stamp, pose_message(stamp, "odom", base_in_odom(camera, OPTICAL_IN_BODY))))
    return messages
