"""``coarse-loftr evaluate``: accuracy of the matcher and of its baselines, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.tools.errors import as_user_error
from coarse_loftr_ros.tools.measuring import (
    add_report_options,
    baseline_weights,
    environment,
    progress_bar,
    write_report,
)
from coarse_loftr_ros.tools.options import add_pipeline_options, make_pipeline

if TYPE_CHECKING:
    from coarse_loftr_ros.evaluation.pair_matcher import PairMatcher

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command with its three kinds of evaluation."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure accuracy beside ORB, SIFT, XFeat and the published student",
        description="Measure accuracy. Every method's matches go through the same estimator.",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)

    homography = kinds.add_parser(
        "homography",
        help="image pairs with known homographies (HPatches layout)",
        description="AUC of the mean corner error in px of the current image, by MAGSAC at 3 px. "
        "DIR is a sequence (1.png .. 6.png, H_1_2 .. H_1_6) or a folder of sequences.",
    )
    homography.add_argument(
        "--shorter-side",
        type=int,
        default=480,
        metavar="PX",
        help="resize images so that the shorter side has this many px, as published figures are "
        "made; 0 leaves them (default: %(default)s)",
    )

    generated = kinds.add_parser(
        "random",
        help="random homographies of photographs",
        description="Pairs of 640x480 images made from the photographs below DIR by random "
        "homographies with blur, gamma and noise; the same figures as 'homography'. The same "
        "seed gives the same pairs.",
    )
    generated.add_argument(
        "--pairs", type=int, default=80, help="number of pairs (default: %(default)s)"
    )
    generated.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    generated.add_argument(
        "--all-images",
        action="store_true",
        help="use every photograph, not only those that training leaves out by their names",
    )

    odometry = kinds.add_parser(
        "odometry",
        help="a driving sequence with known poses (KITTI layout)",
        description="Error of relative rotation and of the direction of translation between "
        "frames, by an essential matrix with MAGSAC at 1 px. DIR holds image_0/, poses.txt and "
        "calib.txt.",
    )
    odometry.add_argument(
        "--gaps",
        type=int,
        nargs="+",
        default=[1, 2, 4],
        metavar="N",
        help="frames between reference and current image (default: 1 2 4)",
    )
    for kind in (homography, generated, odometry):
        kind.add_argument("directory", type=Path, metavar="DIR")
        kind.add_argument("--only-own", action="store_true", help="leave the baselines out")
        add_report_options(kind)
        add_pipeline_options(kind, search_views=11)
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the JSON."""
    from coarse_loftr_ros.evaluation.report import homography_table, odometry_table, to_json

    with as_user_error(FileNotFoundError, NotADirectoryError, ValueError):
        methods = _methods(args)
        data = _data(args)
    progress = progress_bar(args.kind)
    if args.kind == "odometry":
        from coarse_loftr_ros.evaluation.odometry import evaluate_odometry

        with as_user_error(ValueError):
            report = evaluate_odometry(methods, data, args.gaps, progress)
        print(odometry_table(report))
    else:
        from coarse_loftr_ros.evaluation.homography import evaluate_homography

        report = evaluate_homography(methods, data, progress)
        print(homography_table(report))
    facts = {"kind": args.kind, "data": args.directory.name, **environment(args.threads)}
    write_report(args.json, {**facts, "report": to_json(report)})
    return 0


def _data(args: argparse.Namespace) -> Any:
    if args.kind == "odometry":
        from coarse_loftr_ros.evaluation.data.kitti import KittiSequence

        return KittiSequence(args.directory)
    if args.kind == "homography":
        from coarse_loftr_ros.evaluation.data.hpatches import HPatches

        return HPatches(args.directory, args.shorter_side or None)
    from coarse_loftr_ros.evaluation.data.random_homographies import RandomHomographies

    everything = {"keep": lambda path: True} if args.all_images else {}
    return RandomHomographies(args.directory, args.pairs, seed=args.seed, **everything)


def _methods(args: argparse.Namespace) -> list[PairMatcher]:
    from coarse_loftr_ros.evaluation.methods import baselines
    from coarse_loftr_ros.evaluation.own import OwnMatcher
    from coarse_loftr_ros.pairing import Consecutive

    pipeline = make_pipeline(args, Consecutive(), (640, 480))
    own = OwnMatcher(pipeline, pipeline.settings.model.name)
    if args.only_own:
        return [own]
    return [own, *baselines(baseline_weights(args), args.threads)]
