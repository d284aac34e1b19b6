"""``coarse-loftr replay``: the node's pipeline over a recording, in order and without drops."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.tools.errors import UserError, as_user_error
from coarse_loftr_ros.tools.options import (
    add_pipeline_options,
    add_source_options,
    check_topic_name,
    chosen_streams,
    make_pipeline,
    make_policy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coarse_loftr_ros.recordings.moments import Moments
    from coarse_loftr_ros.recordings.source import Source
    from coarse_loftr_ros.result import StreamResult

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "replay",
        help="match the images of a recording, a video or a folder, without ROS",
        description="Run the node's pipeline over a recording in order, without drops and with "
        "the same result on every run, and write what the node would publish.",
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
        "--row-tolerance",
        type=float,
        default=0.0,
        metavar="PX",
        help="stereo: of rectified images, reject matches of left with right whose rows differ by "
        "more (default: 0, no constraint)",
    )
    parser.add_argument(
        "--node-name", default="matcher", help="name in the topics of OUT (default: %(default)s)"
    )
    add_pipeline_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Replay and report."""
    import time

    from coarse_loftr_ros.backends.base import BackendError
    from coarse_loftr_ros.bags.types import BagError
    from coarse_loftr_ros.recordings.moments import Moments
    from coarse_loftr_ros.recordings.opening import choose_streams
    from coarse_loftr_ros.tools.measuring import write_report
    from coarse_loftr_ros.tools.recording import input_json, open_recording, progress, say_gap

    streams = choose_streams(args.source, chosen_streams(args), both=True)
    check_topic_name("--node-name", args.node_name)
    if args.output is not None:
        _check_apart(args.output, args.source)
    tally = _Tally()
    with as_user_error(BackendError, BagError), open_recording(args, streams) as source:
        start = time.perf_counter()
        tolerance = round(args.tolerance_ms * 1e6) if len(streams) > 1 else None
        moments = Moments(progress(source, "replay"), tolerance, source.report)
        results = _match(args, moments, source)
        if args.output is None:
            for _, result in results:
                tally.add(result)
        else:
            _write(args, results, tally, stereo=len(streams) > 1)
        tally.seconds = time.perf_counter() - start
        tally.frames = moments.images
    print(tally.table(source))
    say_gap(moments)
    if args.json is not None:
        write_report(
            args.json, {"source": args.source.name, "input": input_json(source, moments.pairs)}
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
    args: argparse.Namespace, moments: Moments, source: Source
) -> Iterator[tuple[int, StreamResult]]:
    """Time of recording and result of each moment.

    Raises:
        UserError: when there is not one image.
    """
    from dataclasses import replace

    from coarse_loftr_ros.result import StreamResult
    from coarse_loftr_ros.tools.recording import why_rejected

    pipeline = None
    for recorded, moment in moments:
        left, right = moment.left, moment.right
        if pipeline is None:
            size = (left.width, left.height)
            pipeline = make_pipeline(args, make_policy(args), size, _say)
            with as_user_error(ValueError):
                pipeline.match_settings = replace(
                    pipeline.match_settings, row_tolerance_px=args.row_tolerance
                )
        if right is None:
            yield recorded, StreamResult(pipeline.process(left))
        else:
            rectified = args.row_tolerance > 0
            yield recorded, pipeline.process_stereo(left, right, rectified)
    if moments.images == 0:
        raise UserError(f"{source.description} has no image that can be used{why_rejected(source)}")


def _write(
    args: argparse.Namespace,
    results: Iterator[tuple[int, StreamResult]],
    tally: _Tally,
    *,
    stereo: bool,
) -> None:
    """Write results under the topics of the node."""
    from coarse_loftr_ros.bags.messages import correspondences_message, homography_message
    from coarse_loftr_ros.bags.types import CORRESPONDENCES, HOMOGRAPHY
    from coarse_loftr_ros.bags.writer import BagWriter

    name = "/" + args.node_name.strip("/")
    with BagWriter(args.output, replace=args.force) as writer:
        writer.add_topic(f"{name}/correspondences", CORRESPONDENCES)
        writer.add_topic(f"{name}/homography", HOMOGRAPHY)
        if stereo:
            writer.add_topic(f"{name}/stereo/correspondences", CORRESPONDENCES)
        for recorded, result in results:
            if result.across is not None:
                across = correspondences_message(result.across)
                writer.write(f"{name}/stereo/correspondences", recorded, across)
            temporal = result.temporal
            if temporal is not None:
                writer.write(f"{name}/correspondences", recorded, correspondences_message(temporal))
                writer.write(f"{name}/homography", recorded, homography_message(temporal))
            tally.add(result)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


class _Tally:
    """Counts for the table at the end."""

    def __init__(self) -> None:
        self.frames = 0
        self.seconds = 0.0
        self._results: list[tuple[str, int, int, float]] = []
        self._references: set[int] = set()
        self._across: list[int] = []
        self._off_row = 0

    def add(self, result: StreamResult) -> None:
        across_ms = 0.0
        if result.across is not None:
            self._across.append(len(result.across.correspondences))
            self._off_row += result.across.off_row
            across_ms = result.across.total_ms
        if result.temporal is None:
            return
        homography = result.temporal.homography
        self._references.add(result.temporal.reference.stamp)
        self._results.append(
            (
                homography.status.name,
                homography.match_count,
                homography.inlier_count,
                result.temporal.timings_ms["total"] + across_ms,
            )
        )

    def table(self, source: Source) -> str:
        from statistics import median

        from coarse_loftr_ros.tools.recording import rejected_rows
        from coarse_loftr_ros.tools.table import two_columns

        status = [row[0] for row in self._results]
        rows = [("images", str(self.frames)), ("matched", str(len(status)))]
        rows += rejected_rows(source)
        if status:
            rows += [(name, str(status.count(name))) for name in ("OK", "DEGRADED", "LOST")]
            rows += [
                ("references", str(len(self._references))),
                ("matches, median", f"{median(row[1] for row in self._results):.0f}"),
                ("inliers, median", f"{median(row[2] for row in self._results):.0f}"),
                ("pipeline, median", f"{median(row[3] for row in self._results):.1f} ms"),
            ]
        if self._across:
            rows += [
                ("left with right, median", f"{median(self._across):.0f}"),
                ("off their row", str(self._off_row)),
            ]
        rows.append(("images per second", f"{self.frames / self.seconds:.1f}"))
        return two_columns(rows, source.description)
