"""What the measuring commands share: which models and baselines they compare, and progress."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import UserError

if TYPE_CHECKING:
    from coarse_loftr_lab.evaluation.methods import BaselineWeights

__all__ = [
    "add_models_option",
    "add_report_options",
    "baseline_weights",
    "distinct_names",
    "each_model",
    "progress_bar",
]


def add_report_options(parser: argparse.ArgumentParser) -> Any:
    """Add the options about baselines and the report; returns their group."""
    group = parser.add_argument_group("comparison and report")
    group.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder with the baselines' networks: coarse_loftr_trt/LoFTR_teacher.onnx and "
        "xfeat/xfeat.onnx; without it (or where a file is missing) their rows are left out",
    )
    group.add_argument("--only-own", action="store_true", help="leave the baselines out")
    group.add_argument(
        "--json", type=Path, metavar="FILE", help="also write every figure to this file"
    )
    return group


def baseline_weights(args: argparse.Namespace) -> BaselineWeights:
    """The files of ``--weights``.

    Raises:
        UserError: when the folder does not exist.
    """
    from coarse_loftr_lab.evaluation.methods import BaselineWeights

    if args.weights is None:
        return BaselineWeights()
    if not args.weights.is_dir():
        raise UserError(f"--weights: there is no folder {args.weights}")
    return BaselineWeights.below(args.weights)


def add_models_option(parser: argparse.ArgumentParser) -> None:
    """Make ``--model`` repeatable; the parser must resolve conflicts of options."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME|DIR",
        help="a model of the package (fast) or a folder that 'coarse-loftr export' wrote; may be "
        "repeated, each is a row of its own (default: fast)",
    )


def each_model(args: argparse.Namespace) -> Iterator[argparse.Namespace]:
    """The options once per model, as ``make_pipeline`` takes them."""
    for model in args.model or ["fast"]:
        yield argparse.Namespace(**{**vars(args), "model": model})


def distinct_names(args: argparse.Namespace, names: Sequence[str]) -> list[str]:
    """Names of the models of ``each_model``; as they were given where they are not unique."""
    given = args.model or ["fast"]
    return [
        name if names.count(name) == 1 else f"{name} ({model})"
        for name, model in zip(names, given, strict=True)
    ]


def progress_bar(description: str) -> Callable[..., None]:
    """A callback (done, all, what) that draws a bar with the time that is left on stderr."""
    from tqdm import tqdm

    bar = tqdm(desc=description, unit="step", leave=False, disable=None)

    def show(done: int, total: int, what: str = "") -> None:
        bar.total = total
        bar.set_postfix_str(what, refresh=False)
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return show
