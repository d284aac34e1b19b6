"""``coarse-loftr results``: the figures of the documents, and the documents from the figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from coarse_loftr_lab.commands import evaluate
from coarse_loftr_lab.commands.steps import arguments_of
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.files.whole_files import whole_file

__all__ = ["add_parser", "run"]

FIGURES = Path("docs/results")
DOCUMENTS = (Path("README.md"), Path("docs/results.md"))

# Kind of evaluation, folder of the data (none where it is rendered), further options.
_RUNS = (
    ("tune", "train", ()),
    ("random", "train", ()),
    ("homography", "dev/homography", ()),
    ("tiny_motion", None, ()),
    ("odometry", "dev/vo/kitti06_stereo_51", ()),
    ("visual_odometry", "dev/vo", ()),
    ("stress", "train", ("--inliers",)),
    ("calibration", "train", ()),
)


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "results",
        help="measure everything that the documents report, and write their tables",
        description="Figures are kept as JSON; the tables of README.md and docs/results.md are "
        "made from them.",
    )
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    measure = steps.add_parser(
        "measure",
        help="run all evaluations, with the seeds and settings of the documents",
        description="Runs " + ", ".join(f"'evaluate {kind}'" for kind, *_ in _RUNS) + " through "
        "the cache. What takes time on a quiet machine is not among them: 'coarse-loftr "
        "benchmark --json docs/results/benchmark.json' and 'coarse-loftr evaluate precision'.",
    )
    measure.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="folder with train/ (photographs), dev/homography/ and dev/vo/ (sequences, among them "
        "kitti06_stereo_51)",
    )
    measure.add_argument("weights", type=Path, metavar="WEIGHTS", help="the baselines' networks")
    measure.add_argument("--model", action="append", metavar="NAME|DIR", help="as for 'evaluate'")
    measure.add_argument("--cache", metavar="DIR", help="as for 'evaluate'")
    measure.add_argument("--plots", metavar="DIR", help="as for 'evaluate'")
    measure.add_argument("--threads", default="1", help="as for 'evaluate' (default: 1)")
    tables = steps.add_parser("tables", help="write the tables of README.md and docs/results.md")
    for step in (measure, tables):
        step.add_argument(
            "-o", "--figures", type=Path, default=FIGURES, metavar="DIR",
            help="folder of the JSON files (default: %(default)s)",
        )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure, or write the tables."""
    return _measure(args) if args.step == "measure" else _tables(args)


def _measure(args: argparse.Namespace) -> int:
    for _, folder, _ in _RUNS:
        if folder is not None and not (args.data / folder).is_dir():
            raise UserError(f"there is no folder {args.data / folder}")
    shared = ["--weights", args.weights, "--threads", args.threads]
    for name in ("cache", "plots"):
        if getattr(args, name):
            shared += [f"--{name}", getattr(args, name)]
    for model in args.model or ():
        shared += ["--model", model]
    for kind, folder, options in _RUNS:
        data = [] if folder is None else [args.data / folder]
        print("\n== evaluate", kind, *data, file=sys.stderr)
        words = [kind, *data, *shared, *options]
        words += ["--json", args.figures / f"{kind}.json"]
        evaluate.run(arguments_of(evaluate, *words))
    return 0


def _tables(args: argparse.Namespace) -> int:
    from coarse_loftr_lab.evaluation.documents import fill

    for document in DOCUMENTS:
        with as_user_error(OSError, ValueError):
            before = document.read_text()
            after = fill(before, args.figures)
            if after != before:
                with whole_file(document) as new:
                    new.write_text(after)
        print(f"{document}: {'written' if after != before else 'nothing new'}")
    return 0
