"""``coarse-loftr register``: one image laid on another by their homography."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.options import add_pipeline_options, make_pipeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "register",
        help="lay one image on another by their homography",
        description="Match two image files of a flat scene, or taken from one place, and write B "
        "as A would have seen it, pixel on pixel. The quality is JSON: the homography A -> B and "
        "its status, the share of A that B shows, and how alike both are there before and after "
        "(correlation, -1 to 1). The exit code is 1 and nothing is written when they do not match.",
    )
    parser.add_argument("reference", type=Path, metavar="A", help="image that stays")
    parser.add_argument("current", type=Path, metavar="B", help="image that is laid on A")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="PNG",
        help="B in the pixels of A, in colour where B is, in 8 bits; black where B shows nothing",
    )
    parser.add_argument(
        "--blend",
        type=Path,
        metavar="PNG",
        help="A in red and B in cyan on each other: grey where they agree, coloured fringes where "
        "they do not",
    )
    parser.add_argument(
        "--checkerboard",
        type=Path,
        metavar="PNG",
        help="squares of A and B in turns: edges go on across the squares where they agree",
    )
    parser.add_argument(
        "--difference",
        type=Path,
        metavar="PNG",
        help="A less B, brightness and contrast made equal: flat grey where they agree",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the quality here, not to stdout"
    )
    add_pipeline_options(parser, search_views=11)
    return parser


def run(args: argparse.Namespace) -> int:
    """Match, warp and draw."""
    from coarse_loftr_ros.backends.base import BackendError
    from coarse_loftr_ros.commands.common.images import check_image_name, read_grey, write_image
    from coarse_loftr_ros.commands.common.match_report import match_quality, write_json
    from coarse_loftr_ros.images.frame import Frame
    from coarse_loftr_ros.matching import registration
    from coarse_loftr_ros.matching.reference_policy import Consecutive
    from coarse_loftr_ros.matching.result import Status

    pictures = [
        (path, draw)
        for path, draw in (
            (args.blend, registration.blend),
            (args.checkerboard, registration.checkerboard),
            (args.difference, registration.difference),
        )
        if path is not None
    ]
    names = [args.output, *(path for path, _ in pictures)]
    for path in names:
        check_image_name(path)
        if names.count(path) > 1:
            raise UserError(f"{path} is given for two pictures")
    reference, current = Frame(read_grey(args.reference)), Frame(read_grey(args.current))
    pipeline = make_pipeline(args, Consecutive(), (reference.width, reference.height))
    with as_user_error(BackendError):
        result = pipeline.process_pair(reference, current)
    if result.homography.status == Status.LOST:
        print(
            f"coarse-loftr register: {args.current} cannot be laid on {args.reference}: "
            f"{result.homography.reason}",
            file=sys.stderr,
        )
        return 1
    found = registration.register(reference.image, current.image, result.homography.matrix)
    size = (reference.width, reference.height)
    write_image(
        args.output,
        registration.warp(_read_colour(args.current), result.homography.matrix, size),
    )
    for path, draw in pictures:
        write_image(path, draw(found))
    report = {
        "reference": str(args.reference),
        "current": str(args.current),
        "backend": pipeline.backend.description,
        **match_quality(result),
        "overlap": round(found.overlap, 4),
        "correlation_before": _rounded(found.correlation_before),
        "correlation_after": _rounded(found.correlation_after),
    }
    write_json(report, args.json)
    return 0


def _read_colour(path: Path) -> NDArray[np.uint8]:
    """Pixels uint8 [H, W, 3], blue first, of an image file, grey or not.

    16 bits are stretched to 8, all colours alike.

    Raises:
        UserError: when there is no such file or it is no image.
    """
    from coarse_loftr_ros.images.decoding import ImageError, scale_to_8_bits
    from coarse_loftr_ros.recordings import image_files

    with as_user_error(ImageError):
        image = image_files.read_file(path, colour=True)
    if image.dtype == "uint16":
        return scale_to_8_bits(image.reshape(len(image), -1)).reshape(image.shape)
    return image


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
