"""``coarse-loftr benchmark``: time per frame and per stage, beside the baselines."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands.comparison import (
    add_models_option,
    add_report_options,
    baseline_weights,
    distinct_names,
    each_model,
    progress_bar,
)
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.commands.common.json_report import environment, write_report
from coarse_loftr_ros.commands.common.options import add_pipeline_options, make_pipeline, size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from coarse_loftr_lab.evaluation.methods import BaselineWeights
    from coarse_loftr_lab.evaluation.timing import MethodTimes, Subject

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "benchmark",
        help="measure time per frame and stage beside the baselines",
        description="Milliseconds per frame in the steady state (what can be kept of the frame "
        "before is kept), medians with their 10 to 90 %% range. All methods take turns in one "
        "process, and the last columns are each one's time over ours (over each model's that is "
        "given), round by round.",
        conflict_handler="resolve",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="consecutive frames of a camera, in order of their names (default: a drawn flight)",
    )
    parser.add_argument(
        "--size", type=size, default=(640, 480), metavar="WxH", help="default: 640x480"
    )
    parser.add_argument(
        "--rounds", type=int, default=12, help="turns of each method (default: %(default)s)"
    )
    parser.add_argument(
        "--against",
        metavar="REVISION",
        help="measure the pipeline against another git revision's instead of against baselines, "
        "each in a process of its own with this environment's libraries; --images, --size, "
        "--rounds, --threads, --backend, --precision and one --model are for both, the rest is "
        "each revision's default",
    )
    add_report_options(parser)
    add_pipeline_options(parser)
    add_models_option(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the JSON."""
    import cv2

    from coarse_loftr_lab.evaluation.report_tables import report_tables
    from coarse_loftr_lab.evaluation.timing import time_methods
    from coarse_loftr_ros.files.json_text import to_json

    if args.threads:
        cv2.setNumThreads(args.threads)
    frames = _frames(args)
    with ExitStack() as stack:
        models = 1
        if args.against is not None:
            subjects = _revisions(args, stack)
        else:
            subjects = _own(args)
            if not args.only_own:
                subjects += _baselines(baseline_weights(args), args.threads)
            models = len(list(each_model(args)))
        with as_user_error(ValueError):
            times = time_methods(subjects, frames, args.rounds, models, progress_bar("benchmark"))
    report = {"methods": [_row(row, to_json) for row in times]}
    print(report_tables("benchmark", report)[""].text())
    facts = {"kind": "benchmark", "rounds": args.rounds, **environment(args.threads)}
    facts["size"] = list(args.size)
    write_report(args.json, {**facts, "report": report})
    return 0


def _frames(args: argparse.Namespace) -> list[NDArray[np.uint8]]:
    import cv2

    from coarse_loftr_ros.commands.common.images import read_grey
    from coarse_loftr_ros.recordings.image_files import find_images

    if args.images is None:
        from coarse_loftr_ros.recordings.rendered.flight import Flight
        from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

        width, height = args.size
        flight = Flight(draw_landscape(), seconds=2.0, width=width, height=height)
        return [frame.image for frame in flight.frames()]
    if not args.images.is_dir():
        raise UserError(f"--images: there is no folder {args.images}")
    files = find_images(args.images)[:30]
    if len(files) < 2:
        raise UserError(f"--images: {args.images} holds {len(files)} images; at least 2 are needed")
    return [cv2.resize(read_grey(path), args.size, interpolation=cv2.INTER_AREA) for path in files]


def _revisions(args: argparse.Namespace, stack: ExitStack) -> list[Subject]:
    """This working tree first, then the other revision, each in a process until the stack ends."""
    from coarse_loftr_lab.evaluation.revisions import WORKING_TREE, checked_out, running

    models = args.model or ["fast"]
    if len(models) > 1:
        raise UserError("--against measures one model; --model may be given once")
    settings = {
        "backend": args.backend,
        "model": models[0],
        "precision": args.precision,
        "threads": args.threads,
        "size": args.size,
    }
    with as_user_error(ValueError):
        tree = stack.enter_context(checked_out(args.against))
        return [
            stack.enter_context(running("working tree", WORKING_TREE, settings)),
            stack.enter_context(running(args.against, tree, settings)),
        ]


def _own(args: argparse.Namespace) -> list[Subject]:
    """Each model with the chosen backend first, then all with the others that are installed."""
    from coarse_loftr_lab.evaluation.timing import own_subject
    from coarse_loftr_ros.backends.base import BackendError, ModelFiles
    from coarse_loftr_ros.backends.precision import can_compute
    from coarse_loftr_ros.backends.registry import choose_backend, installed_backends
    from coarse_loftr_ros.matching.reference_policy import Consecutive

    chosen = args.backend
    backends = [chosen]
    if chosen == "auto":
        with as_user_error(BackendError):
            best = choose_backend(chosen).name
            models = [ModelFiles.load(each.model) for each in each_model(args)]
        precision = "fp32" if args.precision == "auto" else args.precision
        backends += [
            name
            for name in installed_backends()
            if name != best and all(can_compute(name, precision, model) for model in models)
        ]
    subjects = []
    for args.backend in backends:
        pipelines = [make_pipeline(each, Consecutive(), args.size) for each in each_model(args)]
        names = distinct_names(args, [pipeline.settings.model.name for pipeline in pipelines])
        subjects += [
            own_subject(f"{name}, {pipeline.backend.name} {pipeline.backend.precision}", pipeline)
            for name, pipeline in zip(names, pipelines, strict=True)
        ]
    args.backend = chosen
    return subjects


def _baselines(weights: BaselineWeights, threads: int) -> list[Subject]:
    from coarse_loftr_lab.evaluation.baselines.student_matcher import StudentMatcher
    from coarse_loftr_lab.evaluation.methods import baselines
    from coarse_loftr_lab.evaluation.timing import pair_subject
    from coarse_loftr_ros.backends.registry import installed_backends

    others = [
        pair_subject(method.name, method)
        for method in baselines(weights, threads)
        if not isinstance(method, StudentMatcher)
    ]
    if weights.student is None:
        return others
    students = [
        pair_subject(
            f"published pair graph, {runtime}",
            StudentMatcher(weights.student, runtime=runtime, threads=threads),
        )
        for runtime in reversed(installed_backends())
        if runtime != "ncnn"  # which does not read ONNX
    ]
    return [*students, *others]


def _row(times: MethodTimes, to_json: Any) -> dict[str, Any]:
    stages = {name: to_json(spread) for name, spread in times.stages.items()}
    ratios = {name: to_json(spread) for name, spread in times.ratios.items()}
    return {"method": times.name, "stages_ms": stages, "ratios": ratios}
