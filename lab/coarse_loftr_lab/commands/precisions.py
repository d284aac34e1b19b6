"""``coarse-loftr evaluate precision``: each model in every precision that a CPU can run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands.comparison import distinct_names, each_model
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.options import make_pipeline

if TYPE_CHECKING:
    from coarse_loftr_lab.evaluation.own import OwnMatcher
    from coarse_loftr_lab.evaluation.precision_comparison import EncoderTimes, PrecisionReport
    from coarse_loftr_ros.backends.base import ModelFiles
    from coarse_loftr_ros.features.pair_matcher import PairMatcher
    from coarse_loftr_ros.matching.pipeline import Pipeline

__all__ = ["add_precision_arguments", "precision_methods", "prepare_precision"]

_IMAGE_SIZE = (640, 480)


def add_precision_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this kind of evaluation has."""
    parser.add_argument(
        "--homography",
        type=Path,
        metavar="DIR",
        help="also measure on real pairs with known homographies (HPatches layout)",
    )
    parser.add_argument(
        "--mixed-pairs",
        type=int,
        default=200,
        metavar="N",
        help="number of easy and hard pairs for the confidences (default: %(default)s)",
    )


@dataclass(frozen=True)
class _Variant:
    """A model in one precision.

    Attributes:
        name: for tables.
        reference: name of the same model's float32.
        args: for ``make_pipeline``.
    """

    name: str
    reference: str
    args: argparse.Namespace


def _models(args: argparse.Namespace) -> list[tuple[str, ModelFiles, argparse.Namespace]]:
    """Name, files and arguments of each model that is asked for."""
    from coarse_loftr_ros.backends.base import BackendError, ModelFiles

    if args.backend != "auto" or args.precision != "auto":
        raise UserError("'evaluate precision' tries every one: leave --backend and --precision out")
    each = list(each_model(args))
    with as_user_error(BackendError):
        files = [ModelFiles.load(one.model) for one in each]
    names = distinct_names(args, [model.name for model in files])
    return list(zip(names, files, each, strict=True))


def _with(args: argparse.Namespace, backend: str, precision: str) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(args), "backend": backend, "precision": precision})


def _variants(args: argparse.Namespace) -> list[_Variant]:
    """float32 and int8 with the preferred runtime; float16 is rounded by ONNX Runtime."""
    from coarse_loftr_ros.backends.registry import installed_backends

    variants = []
    for name, model, one in _models(args):
        runtimes = {"fp32": "auto", "fp16": "onnxruntime", "int8": "auto"}
        if "onnxruntime" not in installed_backends():
            del runtimes["fp16"]
        if model.encode_int8 is None:
            del runtimes["int8"]
        variants += [
            _Variant(f"{name} {precision}", f"{name} fp32", _with(one, runtime, precision))
            for precision, runtime in runtimes.items()
        ]
    return variants


def _pipeline(args: argparse.Namespace) -> Pipeline:
    from coarse_loftr_ros.matching.reference_policy import Consecutive

    return make_pipeline(args, Consecutive(), _IMAGE_SIZE)


def precision_methods(args: argparse.Namespace) -> list[OwnMatcher]:
    """Each model in each precision."""
    from coarse_loftr_lab.evaluation.own import OwnMatcher

    return [OwnMatcher(_pipeline(variant.args), variant.name) for variant in _variants(args)]


def prepare_precision(
    args: argparse.Namespace, keep: dict[str, Any]
) -> Callable[[Sequence[PairMatcher], Any], PrecisionReport]:
    """Open the data, and give what measures.

    Args:
        args: of the command.
        keep: which photographs are used, for the constructors of pairs.
    """
    from coarse_loftr_lab.evaluation.data.hpatches import HPatches
    from coarse_loftr_lab.evaluation.data.random_homographies import RandomHomographies
    from coarse_loftr_lab.evaluation.data.stress_pairs import MixedStressPairs
    from coarse_loftr_lab.evaluation.precision_comparison import (
        PrecisionReport,
        evaluate_precisions,
    )
    from coarse_loftr_ros.backends.precision import graph_in

    references = {variant.name: variant.reference for variant in _variants(args)}
    pairs: dict[str, Any] = {
        "Random homographies": RandomHomographies(
            args.directory, args.pairs, seed=args.seed, **keep
        )
    }
    if args.homography is not None:
        pairs["Real homographies"] = HPatches(args.homography, 480)
    mixed = MixedStressPairs(args.directory, args.mixed_pairs, args.seed + 1, **keep)
    megabytes = {
        f"{name} {precision}": sum(
            len(graph_in(model, graph, precision)) for graph in ("encode", "match")
        )
        / 1e6
        for name, model, _ in _models(args)
        for precision in ("fp32", "fp16", "int8")
        if f"{name} {precision}" in references
    }

    def measure(methods: Sequence[PairMatcher], progress: Any) -> PrecisionReport:
        rows = evaluate_precisions(methods, references, megabytes, pairs, mixed, progress)
        return PrecisionReport(rows, _times(args))

    return measure


def _times(args: argparse.Namespace) -> tuple[EncoderTimes, ...]:
    """float32 and int8 with every runtime of the CPU, on an image of the usual size."""
    from coarse_loftr_lab.evaluation.precision_comparison import time_encoders
    from coarse_loftr_ros.backends.precision import can_compute
    from coarse_loftr_ros.backends.registry import installed_backends
    from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

    times: list[EncoderTimes] = []
    for name, model, one in _models(args):
        backends = {
            f"{name} {precision}, {runtime}": _pipeline(_with(one, runtime, precision)).backend
            for runtime in installed_backends()
            for precision in ("fp32", "int8")
            if can_compute(runtime, precision, model)
        }
        size = next(iter(backends.values())).size
        times += time_encoders(backends, draw_landscape(size.width, size.height))
    return tuple(times)
