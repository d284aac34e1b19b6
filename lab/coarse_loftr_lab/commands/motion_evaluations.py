"""The kinds of ``coarse-loftr evaluate`` that measure a camera's motion."""

from __future__ import annotations

import argparse
from pathlib import Path

from coarse_loftr_lab.commands.evaluation_kind import Evaluation, Measure, add_directory
from coarse_loftr_lab.commands.evaluation_methods import path_methods
from coarse_loftr_ros.commands.common.mask_options import add_motion_mask_option

__all__ = ["MOTION_EVALUATIONS"]


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
    add_directory(parser)
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
    add_directory(parser)
    parser.add_argument(
        "--fly-over",
        type=int,
        default=200,
        metavar="N",
        help="frames of a drawn flight, run in planar mode; 0 leaves it out (default: %(default)s)",
    )
    add_motion_mask_option(parser)


def _paths(args: argparse.Namespace) -> Measure:
    from coarse_loftr_lab.commands.drives import drives_below, fly_over
    from coarse_loftr_lab.evaluation.path_comparison import compare_paths

    drives = drives_below(args.directory)
    if args.fly_over:
        drives.append(fly_over(args.fly_over))
    return lambda methods, progress: compare_paths(methods, drives, progress)


MOTION_EVALUATIONS = {
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
}
