"""``coarse-loftr match``: two image files, their correspondences as JSON."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import as_user_error
from coarse_loftr_ros.commands.common.options import add_pipeline_options, make_pipeline

if TYPE_CHECKING:
    from coarse_loftr_ros.matching.result import MatchResult

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "match",
        help="match two image files",
        description="Match two image files, of the same size or not, and write points, "
        "confidences, the homography A -> B and its status as JSON. Points are (x, y) in pixels "
        "of each file, the centre of the top-left pixel being (0, 0).",
    )
    parser.add_argument("reference", type=Path, metavar="A", help="reference image")
    parser.add_argument("current", type=Path, metavar="B", help="current image")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the JSON here, not to stdout"
    )
    parser.add_argument("--overlay", type=Path, metavar="PNG", help="draw the matches into a file")
    add_pipeline_options(parser, search_views=11)
    return parser


def run(args: argparse.Namespace) -> int:
    """Match and write."""
    from coarse_loftr_ros.backends.base import BackendError
    from coarse_loftr_ros.commands.common.images import check_image_name, read_grey, write_image
    from coarse_loftr_ros.commands.common.match_report import match_quality, write_json
    from coarse_loftr_ros.images.frame import Frame
    from coarse_loftr_ros.matching.reference_policy import Consecutive

    if args.overlay:
        check_image_name(args.overlay)
    reference, current = Frame(read_grey(args.reference)), Frame(read_grey(args.current))
    pipeline = make_pipeline(args, Consecutive(), (reference.width, reference.height))
    with as_user_error(BackendError):
        result = pipeline.process_pair(reference, current)
    if args.overlay:
        from coarse_loftr_ros.matching.pair_picture import draw_pair

        write_image(args.overlay, draw_pair(result))
    report = {
        "reference": str(args.reference),
        "current": str(args.current),
        "backend": pipeline.backend.description,
        **match_quality(result),
        **_points(result),
    }
    write_json(report, args.output)
    return 0


def _points(result: MatchResult) -> dict[str, Any]:
    matches = result.correspondences
    return {
        "reference_points": _rounded(matches.reference_points, 3),
        "current_points": _rounded(matches.current_points, 3),
        "confidence": _rounded(matches.confidence, 4),
        "inlier": matches.inlier.tolist(),
    }


def _rounded(values: Any, digits: int) -> list[Any]:
    """Lists of floats without the tail that float32 has when it is printed as float64."""
    return values.astype("float64").round(digits).tolist()
