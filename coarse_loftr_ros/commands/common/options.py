"""Options that several commands share, and the pipeline that they describe."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error

if TYPE_CHECKING:
    from coarse_loftr_ros.matching.pairing import ReferencePolicy
    from coarse_loftr_ros.matching.pipeline import Pipeline

__all__ = [
    "ROW_TOLERANCE_PX",
    "add_length_options",
    "add_pipeline_options",
    "add_source_options",
    "add_strict_option",
    "check_topic_name",
    "chosen_streams",
    "make_pipeline",
    "make_policy",
    "size",
]

_REFINEMENT = "pip install 'coarse_loftr_ros[refinement]'"
ROW_TOLERANCE_PX = 1.5  # the default of the node
_MOST_RATE = 10_000.0  # Hz
_MOST_SIDE = 16384  # px
_MOST_TOLERANCE_MS = 1e6


def add_pipeline_options(parser: argparse.ArgumentParser, search_views: int = 2) -> None:
    """Add the options that decide how images are matched.

    Args:
        parser: to add them to.
        search_views: default of ``--search-views``; a command for single pairs tries them all.
    """
    group = parser.add_argument_group("matching")
    group.add_argument(
        "--backend",
        default="auto",
        help="runtime: auto, openvino, onnxruntime or tensorrt (default: %(default)s)",
    )
    group.add_argument(
        "--precision",
        default="auto",
        help="auto, fp32, fp16 or int8; auto is the fastest of the runtime that keeps the accuracy "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--threads", type=int, default=0, help="CPU threads of the runtime; 0: it chooses"
    )
    group.add_argument(
        "--model",
        default="fast",
        metavar="NAME|DIR",
        help="fast or accurate, the models of the package, or a folder that 'coarse-loftr export' "
        "wrote (default: %(default)s)",
    )
    group.add_argument(
        "--network-pixels",
        type=int,
        default=0,
        metavar="PX",
        help="pixels of the image that the network sees; larger images are reduced to about this, "
        "and to at most 2048 px a side (default: 0, what the model was made for)",
    )
    group.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        help="least confidence of a match, the share of right ones among such matches, 0 to 1 "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--max-matches", type=int, default=1000, help="most matches per pair (default: %(default)s)"
    )
    group.add_argument(
        "--search-views",
        type=int,
        default=search_views,
        metavar="N",
        help="viewpoints tried for a pair that does not match, as keypoints propose them, 0 to 11 "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--second-pass",
        type=float,
        default=0.1,
        metavar="X",
        help="change of view from which a pair is matched a second time as the reference saw it; "
        "0.1 is a zoom by 1.1 or a rotation by 6 degrees, 10 never (default: %(default)s)",
    )


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose images of a recording, a video or a folder."""
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
        help="images per second of a folder or video where nothing tells the times (default: "
        "%(default)s)",
    )
    add_strict_option(parser)


def add_strict_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that makes one bad image refuse its recording."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse a recording of which an image, a stamp or a camera_info cannot be used; "
        "without it they are left out, counted and named",
    )


def add_length_options(parser: Any) -> None:
    """Add the options that say to an odometry what it cannot see."""
    parser.add_argument(
        "--camera-height",
        type=float,
        metavar="M",
        help="mono: metres of the camera above the ground, which gives the scale",
    )
    parser.add_argument(
        "--altitude",
        type=float,
        metavar="M",
        help="planar: metres of the camera above the plane at the first image",
    )
    parser.add_argument(
        "--window",
        type=int,
        default=0,
        metavar="N",
        help="stereo: adjust the N latest images together, 3 to 10; needs SciPy: "
        f"{_REFINEMENT} (default: %(default)s, none)",
    )


def chosen_streams(args: argparse.Namespace) -> list[str | None]:
    """Topic, or left and right one, of ``add_source_options``.

    Raises:
        UserError: when the options contradict each other or have a bad value.
    """
    stereo = args.left is not None or args.right is not None
    if stereo and (args.left is None or args.right is None or args.topic is not None):
        raise UserError("stereo needs both --left and --right, and no --topic")
    if not 0 < args.rate <= _MOST_RATE:
        raise UserError(f"--rate is {args.rate}; it must be above 0 and at most {_MOST_RATE:g}")
    if not 0 <= args.tolerance_ms <= _MOST_TOLERANCE_MS:
        raise UserError(
            f"--tolerance-ms is {args.tolerance_ms}; it must be 0 to {_MOST_TOLERANCE_MS:g}"
        )
    return [args.left, args.right] if stereo else [args.topic]


def check_topic_name(option: str, name: str) -> None:
    """Refuse what ROS does not take for the name of a topic or node, or of a part of it.

    Raises:
        UserError: naming the option.
    """
    if not re.fullmatch(r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*/?", name):
        raise UserError(
            f"{option} is '{name}'; a name has letters, digits and _, does not begin with a "
            "digit, and / between its parts"
        )


def make_policy(args: argparse.Namespace) -> ReferencePolicy:
    """The policy that ``--pairing`` names."""
    from coarse_loftr_ros.matching.pairing import Consecutive, Keyframe

    return Keyframe() if args.pairing == "keyframe" else Consecutive()


def make_pipeline(
    args: argparse.Namespace,
    policy: ReferencePolicy,
    expected_size: tuple[int, int],
    on_compile: Callable[[str], None] | None = None,
) -> Pipeline:
    """The pipeline that the options describe.

    Args:
        args: with the options of ``add_pipeline_options``.
        policy: which frame becomes the next reference.
        expected_size: (width, height) of the images to come.
        on_compile: called with a sentence after each compilation.

    Raises:
        UserError: when an option has a bad value or the runtime or model cannot be used.
    """
    from coarse_loftr_ros.backends.base import BackendError, ModelFiles, Reports
    from coarse_loftr_ros.matching.pipeline import MatchSettings, Pipeline, PipelineSettings
    from coarse_loftr_ros.matching.search import SearchSettings

    for option, value, most in (
        ("--search-views", args.search_views, 11),
        ("--second-pass", args.second_pass, 10),
    ):
        if not 0 <= value <= most:
            raise UserError(f"{option} is {value}; it must be 0 to {most}")
    with as_user_error(ValueError, BackendError):
        settings = PipelineSettings(
            backend=args.backend,
            model=ModelFiles.load(args.model),
            network_pixels=args.network_pixels,
            threads=args.threads,
            precision=args.precision,
        )
        match = MatchSettings(
            confidence_threshold=args.threshold,
            max_matches=args.max_matches,
            search=SearchSettings(args.search_views, second_pass=args.second_pass),
        )
        reports = Reports(on_compile or (lambda sentence: None), _warn)
        return Pipeline(settings, match, policy, expected_size, reports)


def _warn(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def size(text: str) -> tuple[int, int]:
    """Parse ``WxH`` for argparse."""
    try:
        width, height = (int(side) for side in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no size; write it as 640x480") from None
    if not (1 <= width <= _MOST_SIDE and 1 <= height <= _MOST_SIDE):
        raise argparse.ArgumentTypeError(f"'{text}': both sides must be 1 to {_MOST_SIDE} px")
    return width, height
