"""``coarse-loftr evaluate``: accuracy of the matcher and of its baselines, side by side."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

from coarse_loftr_lab.commands.comparison import add_models_option, add_report_options, progress_bar
from coarse_loftr_lab.commands.evaluation_methods import compared_methods
from coarse_loftr_lab.commands.evaluations import EVALUATIONS
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.json_report import environment, write_report
from coarse_loftr_ros.commands.common.mask_options import add_mask_options
from coarse_loftr_ros.commands.common.options import add_pipeline_options

__all__ = ["add_parser", "run"]


# What the data of a report depends on, where a kind has it.
_OPTIONS = (
    "pairs",
    "textures",
    "scenes",
    "seed",
    "all_images",
    "suite",
    "gaps",
    "shorter_side",
    "longer_side",
    "fly_over",
)


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command with its kinds of evaluation."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure accuracy beside ORB, SIFT, AKAZE, XFeat and the published student",
        description="Measure accuracy. Every method's matches go through the same estimator.",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    for name, evaluation in EVALUATIONS.items():
        kind = kinds.add_parser(
            name,
            help=evaluation.summary,
            description=evaluation.description,
            conflict_handler="resolve",
        )
        evaluation.add_arguments(kind)
        group = add_report_options(kind)
        group.add_argument(
            "--plots", type=Path, metavar="DIR", help="also draw figures (needs matplotlib)"
        )
        group.add_argument(
            "--cache",
            type=Path,
            metavar="DIR",
            help="where matches are kept, so that the next run computes only what has changed "
            "(default: coarse_loftr_ros/evaluation in the user's cache folder)",
        )
        group.add_argument("--no-cache", action="store_true", help="keep and reuse nothing")
        add_pipeline_options(kind, search_views=11)
        add_models_option(kind)
        if evaluation.methods is compared_methods:
            add_mask_options(kind)
            group.add_argument(
                "--inliers",
                action="store_true",
                help="a further row for each model: only the matches that agree with its own "
                "homography, as those marked in its messages do",
            )
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure, print the tables, write the JSON, draw the figures."""
    from coarse_loftr_lab.evaluation.match_cache import CachedMatcher, default_folder
    from coarse_loftr_lab.evaluation.measuring import refuse_equal_names
    from coarse_loftr_lab.evaluation.report_tables import report_tables
    from coarse_loftr_ros.files.json_text import to_json
    from coarse_loftr_ros.images.decoding import ImageError

    if args.plots is not None and importlib.util.find_spec("matplotlib") is None:
        raise UserError("--plots needs matplotlib; install it with pip install matplotlib")
    evaluation = EVALUATIONS[args.kind]
    with as_user_error(OSError, ValueError):
        measure = evaluation.prepare(args)
        methods = evaluation.methods(args)
        refuse_equal_names(methods)
        cache = args.cache or default_folder()
        cached = evaluation.by_pairs and not args.no_cache
        if cached:
            methods = [CachedMatcher(method, cache) for method in methods]
    with as_user_error(ImageError):
        report = to_json(measure(methods, progress_bar(args.kind)))
    for title, table in report_tables(args.kind, report).items():
        print(f"\n{title}\n{table.text()}" if title else table.text())
    if cached:
        computed, found = (sum(getattr(m, n) for m in methods) for n in ("computed", "found"))
        print(f"pairs: {computed} matched, {found} taken from {cache}", file=sys.stderr)
    # What is rendered has no folder.
    data = args.directory.name if "directory" in vars(args) else "rendered"
    facts = {"kind": args.kind, "data": data, **environment(args.threads)}
    facts["options"] = {name: vars(args)[name] for name in _OPTIONS if name in vars(args)}
    facts["methods"] = {method.name: dict(method.settings) for method in methods}
    write_report(args.json, {**facts, "report": report})
    if args.plots is not None:
        from coarse_loftr_lab.evaluation.plots import draw_report

        with as_user_error(OSError):
            print("drawn:", *draw_report(args.kind, report, args.plots), file=sys.stderr)
    return 0
