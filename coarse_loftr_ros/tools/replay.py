"""``coarse-loftr replay``: the node's pipeline over a recording, in order and without drops."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.tools.errors import UserError, as_user_error
from coarse_loftr_ros.tools.options import add_pipeline_options, make_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coarse_loftr_ros.result import MatchResult
    from coarse_loftr_ros.tools.sources import Source

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
        help="rosbag2 folder, .mcap or .db3 file; or a video file, or a folder of images",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT.mcap",
        help="recording to write: .mcap or .db3, or a name without either for a rosbag2 folder",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT when it exists")
    parser.add_argument("--topic", help="the image topic (default: the only one there is)")
    parser.add_argument("--left", help="stereo: left topic, or left sub-folder of a folder")
    parser.add_argument("--right", help="stereo: right topic or sub-folder")
    parser.add_argument(
        "--tolerance-ms",
        type=float,
        default=5.0,
        metavar="MS",
        help="stereo: largest difference of the stamps of a pair (default: %(default)s)",
    )
    parser.add_argument(
        "--pairing",
        choices=("consecutive", "keyframe"),
        default="consecutive",
        help="what each image is matched with (default: %(default)s)",
    )
    parser.add_argument(
        "--rate",
        type=float,
        default=30.0,
        metavar="HZ",
        help="images per second of a folder (default: %(default)s)",
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
    from coarse_loftr_ros.tools.sources import open_source

    stereo = args.left is not None or args.right is not None
    if stereo and (args.left is None or args.right is None or args.topic is not None):
        raise UserError("stereo needs both --left and --right, and no --topic")
    if not args.rate > 0:
        raise UserError(f"--rate is {args.rate}; it must be positive")
    streams = [args.left, args.right] if stereo else [args.topic]
    tally = _Tally()
    with (
        as_user_error(BackendError, BagError),
        open_source(args.source, streams, args.rate) as source,
    ):
        start = time.perf_counter()
        results = _stereo(args, source, tally) if stereo else _mono(args, source, tally)
        if args.output is None:
            for _, result in results:
                tally.add(result)
        else:
            _write(args, results, tally)
        tally.seconds = time.perf_counter() - start
    if tally.frames == 0:
        raise UserError(f"{source.description} has no image that can be used{_why(source)}")
    print(tally.table(source))
    if args.output is not None:
        print(f"\nwritten: {args.output}")
    return 0


def _mono(
    args: argparse.Namespace, source: Source, tally: _Tally
) -> Iterator[tuple[int, MatchResult]]:
    """Time of recording and result of each frame that was matched with a reference."""
    from coarse_loftr_ros.pairing import Consecutive, Keyframe

    policy = Keyframe() if args.pairing == "keyframe" else Consecutive()
    pipeline = None
    for image in _progress(source):
        frame = image.frame
        if pipeline is None:
            pipeline = make_pipeline(args, policy, (frame.width, frame.height), _say)
        tally.frames += 1
        result = pipeline.process(frame)
        if result is not None:
            yield image.recorded, result


def _stereo(
    args: argparse.Namespace, source: Source, tally: _Tally
) -> Iterator[tuple[int, MatchResult]]:
    """Time of recording and result of each pair."""
    from coarse_loftr_ros.pairing import Consecutive, StereoPairing

    with as_user_error(ValueError):
        pairing = StereoPairing(round(args.tolerance_ms * 1e6))
    pipeline = None
    for image in _progress(source):
        tally.frames += 1
        pair = (pairing.add_right if image.stream else pairing.add_left)(image.frame)
        tally.unpaired = pairing.unpaired_left + pairing.unpaired_right
        if pair is None:
            continue
        if pipeline is None:
            size = (pair[0].width, pair[0].height)
            pipeline = make_pipeline(args, Consecutive(), size, _say)
        yield image.recorded, pipeline.process_pair(*pair)


def _write(
    args: argparse.Namespace, results: Iterator[tuple[int, MatchResult]], tally: _Tally
) -> None:
    """Write results under the topics of the node."""
    from coarse_loftr_ros.bags.messages import correspondences_message, homography_message
    from coarse_loftr_ros.bags.types import CORRESPONDENCES, HOMOGRAPHY
    from coarse_loftr_ros.bags.writer import BagWriter

    name = "/" + args.node_name.strip("/")
    with BagWriter(args.output, replace=args.force) as writer:
        writer.add_topic(f"{name}/correspondences", CORRESPONDENCES)
        writer.add_topic(f"{name}/homography", HOMOGRAPHY)
        for recorded, result in results:
            writer.write(f"{name}/correspondences", recorded, correspondences_message(result))
            writer.write(f"{name}/homography", recorded, homography_message(result))
            tally.add(result)


def _progress(source: Source) -> Any:
    """The source's images behind a progress bar, which only a terminal shows."""
    from tqdm import tqdm

    return tqdm(source.images(), total=source.count, unit="img", desc="replay", disable=None)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _why(source: Source) -> str:
    if not source.rejected:
        return ""
    return ": " + "; ".join(f"{r.count} x {r.example}" for r in source.rejected.values())


class _Tally:
    """Counts for the table at the end."""

    def __init__(self) -> None:
        self.frames = 0
        self.unpaired = 0
        self.seconds = 0.0
        self._results: list[tuple[str, int, int, float]] = []
        self._references: set[int] = set()

    def add(self, result: MatchResult) -> None:
        homography = result.homography
        self._references.add(result.reference.stamp)
        self._results.append(
            (
                homography.status.name,
                homography.match_count,
                homography.inlier_count,
                result.timings_ms["total"],
            )
        )

    def table(self, source: Source) -> str:
        from statistics import median

        from coarse_loftr_ros.tools.table import two_columns

        status = [row[0] for row in self._results]
        rows = [("images", str(self.frames)), ("matched", str(len(status)))]
        if self.unpaired:
            rows.append(("without a partner", str(self.unpaired)))
        rows += [
            (f"rejected ({kind})", f"{rejected.count}, such as: {rejected.example}")
            for kind, rejected in source.rejected.items()
        ]
        if status:
            rows += [(name, str(status.count(name))) for name in ("OK", "DEGRADED", "LOST")]
            rows += [
                ("references", str(len(self._references))),
                ("matches, median", f"{median(row[1] for row in self._results):.0f}"),
                ("inliers, median", f"{median(row[2] for row in self._results):.0f}"),
                ("pipeline, median", f"{median(row[3] for row in self._results):.1f} ms"),
            ]
        rows.append(("images per second", f"{self.frames / self.seconds:.1f}"))
        return two_columns(rows, source.description)
