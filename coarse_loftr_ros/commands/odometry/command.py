"""``coarse-loftr odometry``: a camera's path from a recording, without ROS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error, writing
from coarse_loftr_ros.commands.common.mask_options import add_mask_options, add_motion_mask_option
from coarse_loftr_ros.commands.common.options import (
    add_length_options,
    add_pipeline_options,
)
from coarse_loftr_ros.commands.common.plots import PLOTS, check_plot
from coarse_loftr_ros.commands.common.source_options import add_source_options, chosen_streams

if TYPE_CHECKING:
    from coarse_loftr_ros.recordings.cameras import CameraRig
    from coarse_loftr_ros.recordings.frame_sets import FrameSet, FrameSets
    from coarse_loftr_ros.recordings.source import Source
    from coarse_loftr_ros.recordings.trajectories.path_report import PathReport
    from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory
    from coarse_loftr_ros.recordings.trajectories.visual_odometry import OdometryRun

__all__ = ["add_parser", "run"]

_EVO = "pip install 'coarse_loftr_ros[odometry]'"


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "odometry",
        help="the path of a camera, without ROS",
        description="Match the images of a recording in order, follow the camera, and write its "
        "path as OUT.tum (seconds, position, quaternion) and OUT.kitti (3x4 matrices): the "
        "optical frame (x right, y down, z forward) of each image in that of the first. With a "
        "true path the errors are measured: KITTI's t_rel and r_rel over parts of 100 to 800 m "
        "(0.5 to 40 m of a short path), from image to image, and by evo where it is installed.",
    )
    parser.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="rosbag2 recording, video, folder of images, or folder in the layout of KITTI "
        "(image_0, image_1, calib.txt, times.txt, poses.txt), EuRoC (mav0/cam0) or TUM (rgb.txt)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="write the path to OUT.tum and OUT.kitti"
    )
    parser.add_argument(
        "--mode",
        choices=("stereo", "mono", "planar"),
        help="stereo: metric; mono: without a scale unless --camera-height gives it; planar: a "
        "camera that looks down on a plane (default: stereo where there are two eyes, else mono)",
    )
    parser.add_argument(
        "--matcher",
        choices=("own", "sift", "orb"),
        default="own",
        help="whose matches the odometry gets; sift and orb are for comparison "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--calib",
        metavar="FILE|NUMBERS",
        help="KITTI calibration file, with the cameras to take of it as FILE:P2,P3 where it has "
        "more; or FX,FY,CX,CY in px and for stereo the baseline in metres as fifth (default: that "
        "of the folder, or camera_info of the recording)",
    )
    parser.add_argument(
        "--rectify",
        action="store_true",
        help="undistort and rectify the images as camera_info or EuRoC's sensor.yaml says; without "
        "it they are taken as rectified already",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="FILE",
        help="true path: TUM, KITTI or Open3D's log (default: poses.txt of the folder)",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="PNG",
        help="draw the path beside the true one; needs matplotlib: " + PLOTS,
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report to this file")
    add_length_options(parser)
    add_source_options(parser)
    add_mask_options(parser)
    add_motion_mask_option(parser)
    add_pipeline_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Follow the camera, write, measure, draw."""
    from coarse_loftr_ros.backends.base import BackendError
    from coarse_loftr_ros.cameras.calibration import CalibrationError
    from coarse_loftr_ros.commands.common.recording import (
        open_recording,
        print_stereo_gap,
        rejected_rows,
        too_few_images,
    )
    from coarse_loftr_ros.commands.common.truth import find_truth
    from coarse_loftr_ros.commands.odometry.setup import (
        choose_mode,
        find_cameras,
        find_images,
        make_odometry,
        make_stream,
    )
    from coarse_loftr_ros.commands.odometry.table import path_table
    from coarse_loftr_ros.recordings.frame_sets import FrameSets
    from coarse_loftr_ros.recordings.opening import choose_streams
    from coarse_loftr_ros.recordings.trajectories.path_report import path_report
    from coarse_loftr_ros.recordings.trajectories.truth import true_path
    from coarse_loftr_ros.recordings.trajectories.visual_odometry import run_odometry

    if args.plot is not None:
        check_plot(args.plot)
    if args.matcher != "own":
        for option, given in (
            ("--mask-detector", args.mask_detector is not None),
            ("--motion-mask", args.motion_mask),
        ):
            if given:
                raise UserError(f"{option} is for --matcher own, and it is {args.matcher}")
    if not args.source.exists():
        raise UserError(f"{args.source} does not exist")
    if args.truth is not None and not args.truth.is_file():
        raise UserError(f"--truth: there is no file {args.truth}")
    truth_file, refusal = None, ""
    try:
        truth_file = find_truth(args.truth, args.source)
    except UserError as error:
        if args.truth is not None:
            raise
        refusal = f"the true path is not used: {error}"  # nobody asked for it
    both = args.mode in (None, "stereo")
    streams = choose_streams(args.source, chosen_streams(args), both=both)
    mode = choose_mode(args, streams)
    with as_user_error(BackendError, CalibrationError), open_recording(args, streams) as source:
        cameras = find_cameras(args, source, len(streams))
        odometry = make_odometry(args, mode, cameras)
        tolerance = round(args.tolerance_ms * 1e6) if mode == "stereo" else None
        frame_sets = FrameSets(find_images(args, source), tolerance, source.report)
        first, rest = _first(frame_sets, cameras, source)
        stream = make_stream(args, first)
        found = run_odometry(rest, stream, odometry)
    if len(found.estimates) < 2:
        raise too_few_images(source, ": a path needs at least two images")
    _write(args, found)
    truth = None
    try:
        if truth_file is not None:
            truth = true_path(truth_file, frame_sets.numbers, source.frame_sets)
        report = path_report(found, truth)
    except ValueError as error:  # the path is worth its table without the truth
        assumed = "" if source.timed else "; the times of the images are assumed"
        truth, refusal = None, f"the true path is not used: {error}{assumed}"
        report = path_report(found)
    if args.plot is not None:
        _plot(args.plot, found, truth, report)
    if args.json is not None:
        _write_json(args, mode, report, source)
    title = f"{source.description}: {mode}, {args.matcher}"
    lacking = rejected_rows(source)
    if stream.warnings:
        lacking.append((f"{len(stream.warnings)} stereo pairs", stream.warnings[-1]))
    print(path_table(report, title, lacking))
    for path in _outputs(args):
        print(f"written: {path}")
    print_stereo_gap(frame_sets)
    if not report.metric:
        print(_no_metres(args, mode), file=sys.stderr)
    if report.errors is not None and report.errors.evo is None:
        print(f"for absolute and relative errors (APE, RPE) install evo: {_EVO}", file=sys.stderr)
    if refusal:
        raise UserError(refusal)
    return 0


def _no_metres(args: argparse.Namespace, mode: str) -> str:
    """Why lengths of the path are no metres."""
    if args.camera_height is not None:
        return "lengths are not metres: the first ones were made before the ground was found"
    option = "--altitude" if mode == "planar" else "--camera-height"
    return f"lengths are in a unit of their own, not metres; {option} would give metres"


def _first(
    frame_sets: FrameSets, cameras: CameraRig, source: Source
) -> tuple[FrameSet, Iterator[FrameSet]]:
    """The first frame set, and all of them, as the cameras see them."""
    from itertools import chain

    from coarse_loftr_ros.commands.common.recording import too_few_images

    each = (frames.seen_by(cameras.left, cameras.right) for _, frames in frame_sets)
    first = next(each, None)
    if first is None:
        raise too_few_images(source)
    return first, chain([first], each)


def _outputs(args: argparse.Namespace) -> list[Path]:
    paths = [Path(f"{args.output}.{kind}") for kind in ("tum", "kitti")] if args.output else []
    return [*paths, *(path for path in (args.plot, args.json) if path is not None)]


def _write(args: argparse.Namespace, found: OdometryRun) -> None:
    from coarse_loftr_ros.recordings.trajectories.files import kitti_text, tum_text

    if args.output is None:
        return
    texts = tum_text(found.trajectory), kitti_text(found.trajectory)
    for path, text in zip(_outputs(args), texts, strict=False):
        with writing(path) as new:
            new.write_text(text)


def _plot(path: Path, found: OdometryRun, truth: Trajectory | None, report: PathReport) -> None:
    from coarse_loftr_ros.recordings.trajectories.path_plot import draw_path

    scale = report.errors.scale if report.errors else 1.0
    with writing(path) as new:
        draw_path(new, found, truth, scale)


def _write_json(args: argparse.Namespace, mode: str, report: PathReport, source: Source) -> None:
    from coarse_loftr_ros.commands.common.json_report import environment, write_report
    from coarse_loftr_ros.commands.common.recording import input_json
    from coarse_loftr_ros.files.json_text import to_json

    options = {
        "mode": mode,
        "matcher": args.matcher,
        "model": args.model if args.matcher == "own" else None,
        "pairing": args.pairing,
        "window": args.window,
    }
    report_json = {"source": args.source.name, **options, **environment(args.threads)}
    report_json["input"] = input_json(source, report.images)
    write_report(args.json, {**report_json, "report": to_json(report)})
