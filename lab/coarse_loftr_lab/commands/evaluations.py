"""The kinds of ``coarse-loftr evaluate``: their arguments and what they measure."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands.evaluation_methods import (
    compared_methods,
    loosest_methods,
    own_methods,
    path_methods,
    unfiltered_methods,
)
from coarse_loftr_lab.commands.precisions import (
    add_precision_arguments,
    precision_methods,
    prepare_precision,
)

if TYPE_CHECKING:
    from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = ["EVALUATIONS", "Evaluation"]

Measure = Callable[["Sequence[PairMatcher]", Any], Any]
"""Gives the report of methods; the other argument is the progress bar."""


@dataclass(frozen=True)
class Evaluation:
    """One kind of evaluation.

    Attributes:
        summary: for the list of kinds.
        description: for its own help.
        add_arguments: adds what it needs besides the options that all have.
        prepare: opens the data that the arguments name, and gives what measures methods on it.
        methods: gives the methods from the arguments.
        by_pairs: whether each pair of images is matched by itself, so that matches can be kept
            for the next run.
    """

    summary: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    prepare: Callable[[argparse.Namespace], Measure]
    methods: Callable[[argparse.Namespace], Sequence[PairMatcher]] = compared_methods
    by_pairs: bool = True


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
    from coarse_loftr_lab.evaluation.data.hpatches import HPatches
    from coarse_loftr_lab.evaluation.homography_accuracy import evaluate_homography

    pairs = HPatches(args.directory, args.shorter_side or None)
    return lambda methods, progress: evaluate_homography(methods, pairs, progress)


def _random_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    _pairs(parser, 80)


def _random(args: argparse.Namespace) -> Measure:
    from coarse_loftr_lab.evaluation.data.random_homographies import RandomHomographies
    from coarse_loftr_lab.evaluation.homography_accuracy import evaluate_homography

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
    from coarse_loftr_lab.evaluation.data.pose_pairs import PosePairs
    from coarse_loftr_lab.evaluation.pose_accuracy import evaluate_pose

    pairs = PosePairs(args.file, args.directory, args.longer_side or None)
    return lambda methods, progress: evaluate_pose(methods, pairs, progress)


def _tiny_motion_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scenes",
        type=int,
        default=24,
        help="number of scenes, each under every dose on every surface (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")


def _tiny_motion(args: argparse.Namespace) -> Measure:
    from coarse_loftr_lab.evaluation.data.tiny_motions import TinyMotions
    from coarse_loftr_lab.evaluation.tiny_motion import evaluate_tiny_motion

    pairs = TinyMotions(args.scenes, args.seed)
    return lambda methods, progress: evaluate_tiny_motion(methods, pairs, progress)


def _wide_baseline_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs", type=int, default=80, help="number of pairs (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")


def _wide_baseline(args: argparse.Namespace) -> Measure:
    from coarse_loftr_lab.evaluation.data.wide_baselines import WideBaselines
    from coarse_loftr_lab.evaluation.pose_accuracy import evaluate_pose

    pairs = WideBaselines(args.pairs, args.seed)
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
    from coarse_loftr_lab.evaluation.data.kitti_sequence import KittiSequence
    from coarse_loftr_lab.evaluation.sequence_accuracy import check_gaps, evaluate_odometry

    sequence = KittiSequence(args.directory)
    check_gaps(sequence, args.gaps)
    return lambda methods, progress: evaluate_odometry(methods, sequence, args.gaps, progress)


def _path_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    parser.add_argument(
        "--fly-over",
        type=int,
        default=200,
        metavar="N",
        help="frames of a drawn flight, run in planar mode; 0 leaves it out (default: %(default)s)",
    )


def _paths(args: argparse.Namespace) -> Measure:
    from coarse_loftr_lab.commands.drives import drives_below, fly_over
    from coarse_loftr_lab.evaluation.path_comparison import compare_paths

    drives = drives_below(args.directory)
    if args.fly_over:
        drives.append(fly_over(args.fly_over))
    return lambda methods, progress: compare_paths(methods, drives, progress)


def _stress_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    _pairs(parser, 12)
    parser.add_argument(
        "--suite",
        action="append",
        metavar="NAME",
        help="only this kind of stress; may be repeated (default: rotation, scale, zoom and "
        "turn, slant, small overlap, exposure, motion blur, noise, low light, low texture, moving "
        "foreground)",
    )


def _stress(args: argparse.Namespace) -> Measure:
    from coarse_loftr_lab.evaluation.data.stress_pairs import StressPairs
    from coarse_loftr_lab.evaluation.data.stress_suites import SUITES
    from coarse_loftr_lab.evaluation.stress_resistance import evaluate_stress

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
    from coarse_loftr_lab.evaluation.confidence_calibration import evaluate_calibration
    from coarse_loftr_lab.evaluation.data.stress_pairs import MixedStressPairs

    pairs = MixedStressPairs(args.directory, args.pairs, args.seed, **_keep(args))
    return lambda methods, progress: evaluate_calibration(methods, pairs, progress)


def _tune_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    parser.add_argument(
        "--pairs", type=int, default=160, help="number of pairs (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")


def _tune(args: argparse.Namespace) -> Measure:
    from coarse_loftr_lab.evaluation.data.random_homographies import RandomHomographies
    from coarse_loftr_lab.evaluation.data.split import held_out
    from coarse_loftr_lab.evaluation.data.stress_pairs import MixedStressPairs
    from coarse_loftr_lab.evaluation.tuning import evaluate_thresholds

    def training(path: Path) -> bool:
        return not held_out(path)

    half = max(1, args.pairs // 2)
    moderate = RandomHomographies(args.directory, half, seed=args.seed, keep=training)
    mixed = MixedStressPairs(args.directory, half, seed=args.seed, keep=training)
    return lambda methods, progress: evaluate_thresholds(methods, [*moderate, *mixed], progress)


def _precision_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    _pairs(parser, 400)
    add_precision_arguments(parser)


def _precision(args: argparse.Namespace) -> Measure:
    return prepare_precision(args, _keep(args))


def _unrelated_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    _pairs(parser, 2000)
    parser.add_argument(
        "--textures",
        type=int,
        default=500,
        metavar="N",
        help="number of pairs of repeated textures (default: %(default)s)",
    )


def _unrelated(args: argparse.Namespace) -> Measure:
    from coarse_loftr_lab.evaluation.data.unrelated_pairs import (
        RepeatedTextures,
        UnrelatedPhotographs,
    )
    from coarse_loftr_lab.evaluation.false_matches import evaluate_false_matches

    kinds = (
        UnrelatedPhotographs(args.directory, args.pairs, args.seed, **_keep(args)),
        RepeatedTextures(args.textures, args.seed),
    )
    return lambda methods, progress: evaluate_false_matches(methods, kinds, progress)


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
    "tiny_motion": Evaluation(
        "rendered scenes with depth between whose images the camera hardly moved",
        "Error of the direction of translation, and noise of the points, where parallax is 0.2 to "
        "3 px, with texture, with little of it, and with noise. Images are rendered with exact "
        "truth; the camera turns by up to half a degree besides. By an essential matrix with "
        "MAGSAC at 1 px.",
        _tiny_motion_arguments,
        _tiny_motion,
    ),
    "wide_baseline": Evaluation(
        "rendered streets seen from places far apart",
        "The figures of 'pose' on pairs of images with a parallax of 60 to 140 px (median) and "
        "turns of up to 18 degrees, rendered with exact truth.",
        _wide_baseline_arguments,
        _wide_baseline,
    ),
    "odometry": Evaluation(
        "a driving sequence with known poses (KITTI layout)",
        "Error of relative rotation and of the direction of translation between frames, by an "
        "essential matrix with MAGSAC at 1 px. DIR holds image_0/, poses.txt and calib.txt.",
        _odometry_arguments,
        _odometry,
    ),
    "visual_odometry": Evaluation(
        "the camera's path that comes of each method's matches",
        "Errors of the paths that stereo, mono and planar odometry make of our matches and of "
        "SIFT's: KITTI's t_rel and r_rel over parts of 100 to 800 m (0.5 to 40 m of a short "
        "path), from image to image, at the end; and time per image, the methods taking each "
        "image in turns. DIR is a sequence in KITTI's layout, or a folder of sequences; a drawn "
        "flight with exact truth is added. Without a scale the path is made as long as the true "
        "one. Nothing is cached.",
        _path_arguments,
        _paths,
        path_methods,
        by_pairs=False,
    ),
    "stress": Evaluation(
        "growing doses of one kind of stress at a time, with exact truth",
        "Success rate (mean corner error below 3 px) on pairs made from the photographs below DIR "
        "by a modest change of viewpoint and one kind of stress. --pairs counts the pairs of each "
        "of 68 doses.",
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
    "unrelated": Evaluation(
        "images that have nothing in common, and what status they get",
        "How many pairs of different photographs below DIR, and of drawn walls whose texture "
        "repeats itself, get the status OK or DEGRADED. Ours only. Nothing is cached.",
        _unrelated_arguments,
        _unrelated,
        own_methods,
        by_pairs=False,
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
    "precision": Evaluation(
        "each model in fp32, fp16 and int8: accuracy, confidences, size, time",
        "The figures of 'random', and of 'homography' where pairs are given, for each model in "
        "every precision, and how much each changes the mean corner error; what the confidences "
        "above the threshold are worth; and the time to encode one image, all taking turns. fp16 "
        "is rounded as on a GPU by ONNX Runtime. The baselines are left out.",
        _precision_arguments,
        _precision,
        precision_methods,
    ),
}
