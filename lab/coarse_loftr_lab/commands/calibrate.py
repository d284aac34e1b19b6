"""``coarse-loftr calibrate``: make a model's confidences mean the share of right matches."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from coarse_loftr_lab.commands.comparison import progress_bar
from coarse_loftr_ros.commands.common.errors import as_user_error
from coarse_loftr_ros.files.whole_files import whole_file

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "calibrate",
        help="make a model's confidences mean the share of right matches",
        description="Match pairs with known truth, easy and hard, made from the photographs below "
        "IMAGES that training uses, and write into model.json which share of the matches of each "
        "confidence is right (within 3 px). 'evaluate calibration' checks the result on the "
        "photographs that training leaves out.",
    )
    parser.add_argument("model", type=Path, help="folder that 'coarse-loftr export' wrote")
    parser.add_argument("images", type=Path, help="folder of photographs")
    parser.add_argument(
        "--pairs", type=int, default=200, help="number of pairs (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=2, help="default: %(default)s")
    parser.add_argument(
        "--threads", type=int, default=0, help="CPU threads of the runtime; 0: it chooses"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure, and write the curve into model.json."""
    from dataclasses import replace

    from coarse_loftr_lab.evaluation.confidence_calibration import (
        calibration_curve,
        evaluate_calibration,
    )
    from coarse_loftr_lab.evaluation.data.split import held_out
    from coarse_loftr_lab.evaluation.data.stress_pairs import MixedStressPairs
    from coarse_loftr_lab.evaluation.own import OwnMatcher
    from coarse_loftr_ros.backends.base import BackendError, ModelFiles
    from coarse_loftr_ros.images.decoding import ImageError
    from coarse_loftr_ros.matching.frame_matching import MatchSettings
    from coarse_loftr_ros.matching.pipeline import Pipeline
    from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
    from coarse_loftr_ros.matching.reference_policy import Consecutive

    with as_user_error(OSError, ValueError, BackendError):
        model = replace(ModelFiles.load(args.model), calibration=((0.0, 0.0), (1.0, 1.0)))
        pairs = MixedStressPairs(
            args.images, args.pairs, args.seed, keep=lambda path: not held_out(path)
        )
        settings = PipelineSettings(model=model, threads=args.threads, precision="fp32")
        pipeline = Pipeline(settings, MatchSettings(confidence_threshold=0.0), Consecutive())
    own = OwnMatcher(pipeline, model.name)
    with as_user_error(ImageError):
        report = evaluate_calibration([own], pairs, progress_bar("calibrate"))
    with as_user_error(OSError, ValueError):
        curve = calibration_curve(report.calibrations[0])
        description = args.model / "model.json"
        facts = json.loads(description.read_text())
        facts["calibration"] = curve
        with whole_file(description) as new:
            new.write_text(json.dumps(facts, indent=2) + "\n")
    for confidence, right in curve:
        print(f"{confidence:.3f} -> {right:.3f}")
    print(f"written: {description}")
    return 0
