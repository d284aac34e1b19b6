"""The kinds of ``coarse-loftr evaluate`` on pairs with a homography, or with none."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from coarse_loftr_lab.commands.evaluation_kind import (
    Evaluation,
    Measure,
    add_directory,
    add_pairs,
    kept_images,
)
from coarse_loftr_lab.commands.evaluation_methods import (
    loosest_methods,
    own_methods,
    unfiltered_methods,
)
from coarse_loftr_lab.commands.precisions import (
    add_precision_arguments,
    precision_methods,
    prepare_precision,
)

__all__ = ["HOMOGRAPHY_EVALUATIONS"]


def _homography_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
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
    add_directory(parser)
    add_pairs(parser, 80)


def _random(args: argparse.Namespace) -> Measure:
    from coarse_loftr_lab.evaluation.data.random_homographies import RandomHomographies
    from coarse_loftr_lab.evaluation.homography_accuracy import evaluate_homography

    pairs = RandomHomographies(args.directory, args.pairs, seed=args.seed, **kept_images(args))
    return lambda methods, progress: evaluate_homography(methods, pairs, progress)


def _stress_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_pairs(parser, 12)
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
        return StressPairs(args.directory, suite, dose, args.pairs, args.seed, **kept_images(args))

    suites = [SUITES[name] for name in args.suite or SUITES]
    pairs_of(None, 0.0)  # refuses a folder without photographs
    return lambda methods, progress: evaluate_stress(methods, suites, pairs_of, progress)


def _calibration_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_pairs(parser, 200, seed=1)


def _calibration(args: argparse.Namespace) -> Measure:
    from coarse_loftr_lab.evaluation.confidence_calibration import evaluate_calibration
    from coarse_loftr_lab.evaluation.data.stress_pairs import MixedStressPairs

    pairs = MixedStressPairs(args.directory, args.pairs, args.seed, **kept_images(args))
    return lambda methods, progress: evaluate_calibration(methods, pairs, progress)


def _unrelated_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_pairs(parser, 2000)
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
        UnrelatedPhotographs(args.directory, args.pairs, args.seed, **kept_images(args)),
        RepeatedTextures(args.textures, args.seed),
    )
    return lambda methods, progress: evaluate_false_matches(methods, kinds, progress)


def _tune_arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
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
    add_directory(parser)
    add_pairs(parser, 400)
    add_precision_arguments(parser)


def _precision(args: argparse.Namespace) -> Measure:
    return prepare_precision(args, kept_images(args))


HOMOGRAPHY_EVALUATIONS = {
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
