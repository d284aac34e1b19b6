"""The kinds of ``coarse-loftr evaluate``: their arguments, their methods, and what they measure."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.tools.measuring import baseline_weights, distinct_names, each_model
from coarse_loftr_ros.tools.options import make_pipeline

if TYPE_CHECKING:
    from coarse_loftr_ros.evaluation.own import OwnMatcher
    from coarse_loftr_ros.evaluation.pair_matcher import PairMatcher

__all__ = ["EVALUATIONS", "Evaluation"]

Measure = Callable[["Sequence[PairMatcher]", Any], Any]
"""Gives the report of methods; the other argument is the progress bar."""


def own_methods(args: argparse.Namespace) -> list[OwnMatcher]:
    """The pipeline with each model that is asked for."""
    from coarse_loftr_ros.evaluation.own import OwnMatcher
    from coarse_loftr_ros.pairing import Consecutive

    pipelines = [make_pipeline(each, Consecutive(), (640, 480)) for each in each_model(args)]
    names = distinct_names(args, [pipeline.settings.model.name for pipeline in pipelines])
    return [OwnMatcher(pipeline, name) for pipeline, name in zip(pipelines, names, strict=True)]


def compared_methods(args: argparse.Namespace) -> list[PairMatcher]:
    """Ours, and the baselines unless they are not wanted."""
    from coarse_loftr_ros.evaluation.methods import baselines

    own = own_methods(args)
    return own if args.only_own else [*own, *baselines(baseline_weights(args), args.threads)]


@dataclass(frozen=True)
class Evaluation:
    """One kind of evaluation.

    Attributes:
        summary: for the list of kinds.
        description: for its own help.
        add_arguments: adds what it needs besides the options that all have.
        prepare: opens the data that the arguments name, and gives what measures methods on it.
        methods: gives the methods from the arguments.
    """

    summary: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    prepare: Callable[[argparse.Namespace], Measure]
    methods: Callable[[argparse.Namespace], Sequence[PairMatcher]] = compared_methods


def _homography_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    parser.add_argument(
        "--shorter-side",
        type=int,
        default=480,
        metavar="PX",
        help="resize images so that the shorter side has this many px, as published figures are "
        "made; 0 leaves them (default: %(default)s)",
    )


def _homography(args: argparse.Namespace) -> Measure:
    from coarse_loftr_ros.evaluation.data.hpatches import HPatches
    from coarse_loftr_ros.evaluation.homography import evaluate_homography

    pairs = HPatches(args.directory, args.shorter_side or None)
    return lambda methods, progress: evaluate_homography(methods, pairs, progress)


def _random_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    _pairs(parser, 80)


def _random(args: argparse.Namespace) -> Measure:
    from coarse_loftr_ros.evaluation.data.random_homographies import RandomHomographies
    from coarse_loftr_ros.evaluation.homography import evaluate_homography

    pairs = RandomHomographies(args.directory, args.pairs, seed=args.seed, **_keep(args))
    return lambda methods, progress: evaluate_homography(methods, pairs, progress)


def _pose_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="PAIRS.txt")
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        dest="directory",
        required=True,
        help="folder that the names in the file start from",
    )
    parser.add_argument(
        "--longer-side",
        type=int,
        default=0,
        metavar="PX",
        help="resize images so that the longer side has this many px (default: as they are)",
    )


def _pose(args: argparse.Namespace) -> Measure:
    from coarse_loftr_ros.evaluation.data.pose_pairs import PosePairs
    from coarse_loftr_ros.evaluation.pose import evaluate_pose

    pairs = PosePairs(args.file, args.directory, args.longer_side or None)
    return lambda methods, progress: evaluate_pose(methods, pairs, progress)


def _odometry_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    parser.add_argument(
        "--gaps",
        type=int,
        nargs="+",
        default=[1, 2, 4, 8],
        metavar="N",
        help="frames between reference and current image (default: 1 2 4 8)",
    )


def _odometry(args: argparse.Namespace) -> Measure:
    from coarse_loftr_ros.evaluation.data.kitti import KittiSequence
    from coarse_loftr_ros.evaluation.odometry import check_gaps, evaluate_odometry

    sequence = KittiSequence(args.directory)
    check_gaps(sequence, args.gaps)
    return lambda methods, progress: evaluate_odometry(methods, sequence, args.gaps, progress)


def _stress_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    _pairs(parser, 12)
    parser.add_argument(
        "--suite",
        action="append",
        metavar="NAME",
        help="only this kind of stress; may be repeated (default: rotation, scale, exposure, "
        "motion blur, noise, low light, low texture, moving foreground)",
    )


def _stress(args: argparse.Namespace) -> Measure:
    from coarse_loftr_ros.evaluation.data.stress import StressPairs
    from coarse_loftr_ros.evaluation.data.stress_suites import SUITES
    from coarse_loftr_ros.evaluation.stress import evaluate_stress

    for name in args.suite or ():
        if name not in SUITES:
            raise ValueError(
                f"--suite: there is no '{name}'; it must be one of {', '.join(SUITES)}"
            )

    def pairs_of(suite: Any, dose: float) -> StressPairs:
        return StressPairs(args.directory, suite, dose, args.pairs, args.seed, **_keep(args))

    suites = [SUITES[name] for name in args.suite or SUITES]
    pairs_of(None, 0.0)  # refuses a folder without photographs
    return lambda methods, progress: evaluate_stress(methods, suites, pairs_of, progress)


def _calibration_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    _pairs(parser, 200, seed=1)


def _calibration(args: argparse.Namespace) -> Measure:
    from coarse_loftr_ros.evaluation.calibration import evaluate_calibration
    from coarse_loftr_ros.evaluation.data.stress import MixedStressPairs

    pairs = MixedStressPairs(args.directory, args.pairs, args.seed, **_keep(args))
    return lambda methods, progress: evaluate_calibration(methods, pairs, progress)


def unfiltered_methods(args: argparse.Namespace) -> Sequence[PairMatcher]:
    """Each of our models without a threshold: as published, and the network's own points."""
    from dataclasses import replace

    methods = []
    for refined, stage in ((True, "as published"), (False, "before refinement")):
        for method in own_methods(args):
            match = method.pipeline.match_settings
            method.pipeline.match_settings = replace(
                match,
                confidence_threshold=0.0,
                refinement=replace(match.refinement, enabled=refined),
            )
            method.name = f"{method.name}, {stage}"
            methods.append(method)
    return methods


def _tune_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    parser.add_argument(
        "--pairs", type=int, default=160, help="number of pairs (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")


def _tune(args: argparse.Namespace) -> Measure:
    from coarse_loftr_ros.evaluation.data.random_homographies import RandomHomographies
    from coarse_loftr_ros.evaluation.data.split import held_out
    from coarse_loftr_ros.evaluation.data.stress import MixedStressPairs
    from coarse_loftr_ros.evaluation.tuning import evaluate_thresholds

    def training(path: Path) -> bool:
        return not held_out(path)

    half = max(1, args.pairs // 2)
    moderate = RandomHomographies(args.directory, half, seed=args.seed, keep=training)
    mixed = MixedStressPairs(args.directory, half, seed=args.seed, keep=training)
    return lambda methods, progress: evaluate_thresholds(methods, [*moderate, *mixed], progress)


def loosest_methods(args: argparse.Namespace) -> Sequence[PairMatcher]:
    """The baselines with nothing left out."""
    from coarse_loftr_ros.evaluation.methods import loosest_baselines

    return loosest_baselines(baseline_weights(args), args.threads)


def _directory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR")


def _pairs(parser: argparse.ArgumentParser, count: int, seed: int = 0) -> None:
    parser.add_argument(
        "--pairs", type=int, default=count, help="number of pairs (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=seed, help="default: %(default)s")
    parser.add_argument(
        "--all-images",
        action="store_true",
        help="use every photograph, not only those that training leaves out by their names",
    )


def _keep(args: argparse.Namespace) -> dict[str, Any]:
    return {"keep": lambda path: True} if args.all_images else {}


EVALUATIONS = {
    "homography": Evaluation(
        "image pairs with known homographies (HPatches layout)",
        "AUC of the mean corner error in px of the current image, by MAGSAC at 3 px, and mean "
        "matching accuracy. DIR is a sequence (1.png .. 6.png, H_1_2 .. H_1_6) or a folder of "
        "sequences.",
        _homography_arguments,
        _homography,
    ),
    "random": Evaluation(
        "random homographies of photographs",
        "Pairs of 640x480 images made from the photographs below DIR by random homographies with "
        "blur, gamma and noise; the same figures as 'homography'. The same seed gives the same "
        "pairs.",
        _random_arguments,
        _random,
    ),
    "pose": Evaluation(
        "image pairs with known relative poses, listed in a file",
        "AUC of the larger of rotation and translation-direction error, by an essential matrix "
        "with MAGSAC at 1 px. Each line of PAIRS.txt: image0 image1 rot0 rot1 K0(9) K1(9) "
        "T_0to1(16), with rot in quarter turns as in SuperGlue's lists.",
        _pose_arguments,
        _pose,
    ),
    "odometry": Evaluation(
        "a driving sequence with known poses (KITTI layout)",
        "Error of relative rotation and of the direction of translation between frames, by an "
        "essential matrix with MAGSAC at 1 px. DIR holds image_0/, poses.txt and calib.txt.",
        _odometry_arguments,
        _odometry,
    ),
    "stress": Evaluation(
        "growing doses of one kind of stress at a time, with exact truth",
        "Success rate (mean corner error below 3 px) on pairs made from the photographs below DIR "
        "by a modest change of viewpoint and one kind of stress. --pairs counts the pairs of each "
        "of 50 doses.",
        _stress_arguments,
        _stress,
    ),
    "calibration": Evaluation(
        "what our confidences are worth, and the threshold that follows",
        "Confidence against the share of matches within 3 px of the truth, without a threshold, "
        "on pairs made from the photographs below DIR, half of them under any stress of "
        "'stress'. The threshold is the one that leaves the largest surplus of right over "
        "wrong matches. Ours only.",
        _calibration_arguments,
        _calibration,
        unfiltered_methods,
    ),
    "tune": Evaluation(
        "the baselines' thresholds, on photographs that no other evaluation uses",
        "AUC of every baseline with every threshold that is tried; half on pairs as 'random' "
        "makes them, half as 'calibration' does, but of the photographs that the other "
        "evaluations leave to training.",
        _tune_arguments,
        _tune,
        loosest_methods,
    ),
}
