"""Options of matching and odometry, and the pipeline that they describe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error

if TYPE_CHECKING:
    from coarse_loftr_ros.matching.pipeline import Pipeline
    from coarse_loftr_ros.matching.reference_policy import ReferencePolicy

__all__ = [
    "ROW_TOLERANCE_PX",
    "add_length_options",
    "add_pipeline_options",
    "make_pipeline",
    "make_policy",
    "size",
]

_REFINEMENT = "pip install 'coarse_loftr_ros[refinement]'"
ROW_TOLERANCE_PX = 1.5  # the default of the node
_MOST_SIDE = 16384  # px


def add_pipeline_options(parser: argparse.ArgumentParser, search_views: int = 2) -> None:
    """Add the options that decide how images are matched.

    Args:
        parser: to add them to.
        search_views: default of ``--search-views``; a command for single pairs tries more.
    """
    group = parser.add_argument_group("matching")
    group.add_argument(
        "--backend",
        default="auto",
        help="runtime: auto, tensorrt, cuda, openvino, onnxruntime or ncnn (default: %(default)s)",
    )
    group.add_argument(
        "--runtime",
        default="cuda",
        help="of backend cuda: cuda or tensorrt, a provider of ONNX Runtime (default: %(default)s)",
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
        help="a model of the package (fast) or a folder that 'coarse-loftr export' wrote "
        "(default: %(default)s)",
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


def make_policy(args: argparse.Namespace) -> ReferencePolicy:
    """The policy that ``--pairing`` names."""
    from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe

    return Keyframe() if args.pairing == "keyframe" else Consecutive()


def make_pipeline(
    args: argparse.Namespace,
    policy: ReferencePolicy,
    expected_size: tuple[int, int],
    on_compile: Callable[[str], None] | None = None,
) -> Pipeline:
    """The pipeline that the options describe.

    Args:
        args: with the options of ``add_pipeline_options``; ``--motion-mask`` where the command
            has it.
        policy: which frame becomes the next reference.
        expected_size: (width, height) of the images to come.
        on_compile: called with a sentence after each compilation.

    Raises:
        UserError: when an option has a bad value or the runtime or model cannot be used.
    """
    from coarse_loftr_ros.backends.base import BackendError, ModelFiles, Reports
    from coarse_loftr_ros.matching.frame_matching import MatchSettings
    from coarse_loftr_ros.matching.pipeline import Pipeline
    from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
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
            runtime=args.runtime,
            model=ModelFiles.load(args.model),
            network_pixels=args.network_pixels,
            threads=args.threads,
            precision=args.precision,
        )
        match = MatchSettings(
            confidence_threshold=args.threshold,
            max_matches=args.max_matches,
            motion_mask=vars(args).get("motion_mask", False),
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
