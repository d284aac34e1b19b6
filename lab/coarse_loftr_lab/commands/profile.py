"""``coarse-loftr profile``: what each layer of a model costs, and which design rules it breaks."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_lab.commands.comparison import progress_bar
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error, writing
from coarse_loftr_ros.commands.common.json_report import environment, write_report
from coarse_loftr_ros.commands.common.options import size
from coarse_loftr_ros.commands.common.plots import PLOTS, check_plot

if TYPE_CHECKING:
    from coarse_loftr_lab.profiling.results import ModelProfile

__all__ = ["add_parser", "run"]

_NEEDED = ("onnx", "onnxruntime")  # to count, whatever is measured
_INSTALL = "pip install './lab[quantize]'"


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "profile",
        help="what each layer of a model costs, and which design rules it breaks",
        description="Count parameters, multiplications and bytes of each layer of both graphs, "
        "measure its time by the runtimes' own counters, sum them per block, and name where the "
        "network breaks a rule for fast networks.",
    )
    parser.add_argument(
        "model",
        metavar="NAME|DIR",
        help="a model of the package (fast) or a folder that 'coarse-loftr export' wrote",
    )
    parser.add_argument(
        "--backend",
        default="auto",
        help="runtime to measure with: openvino or onnxruntime; auto takes both where they are "
        "installed, in turns (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        default="auto",
        help="auto, fp32, fp16 or int8, of what is counted and measured; auto is what the node "
        "takes with the first of the runtimes (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        type=size,
        metavar="WxH",
        help="of the network image (default: as for images of 640x480)",
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="CPU threads of the runtime; 0: it chooses"
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=200,
        metavar="N",
        help="runs of each graph; of each layer the time is shown that one in ten runs takes at "
        "most (default: %(default)s)",
    )
    parser.add_argument("--layers", action="store_true", help="also print every layer")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write every layer, block and broken rule"
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="PNG",
        help="draw each block's share of multiplications, bytes and time; needs matplotlib: "
        + PLOTS,
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Count, measure, print, write, draw."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(f"profiling needs {' and '.join(missing)}: {_INSTALL}")
    if args.plot is not None:
        check_plot(args.plot)
    profile = _measured(args)
    _print(profile, args.layers)
    if args.json is not None:
        from coarse_loftr_lab.profiling.report import profile_json

        write_report(args.json, {**environment(args.threads), **profile_json(profile)})
    if args.plot is not None:
        from coarse_loftr_lab.profiling.picture import draw_profile

        with writing(args.plot) as new:
            draw_profile(new, profile)
    return 0


def _measured(args: argparse.Namespace) -> ModelProfile:
    from coarse_loftr_lab.profiling.profile import PROFILED, ProfileSettings, profile_model
    from coarse_loftr_ros.backends.base import BackendError, ModelFiles
    from coarse_loftr_ros.backends.precision import choose_precision
    from coarse_loftr_ros.images.preprocessing import NetworkSize

    runtimes = [name for name in PROFILED if find_spec(name)]
    if args.backend != "auto":
        if args.backend not in PROFILED:
            allowed = ", ".join(("auto", *PROFILED))
            raise UserError(f"--backend is '{args.backend}'; it must be one of {allowed}")
        if args.backend not in runtimes:
            raise UserError(f"{args.backend} is not installed: pip install {args.backend}")
        runtimes = [args.backend]
    with as_user_error(BackendError, ValueError):
        model = ModelFiles.load(args.model)
        precision = choose_precision(args.precision, runtimes[0], model)
        for name in runtimes:
            choose_precision(precision, name, model)
        settings = ProfileSettings(tuple(runtimes), precision, args.threads, args.runs)
    network = NetworkSize(*args.size) if args.size else model.network_size(640, 480)
    with as_user_error(BackendError):
        return profile_model(model, network, settings, progress_bar("profile"))


def _print(profile: ModelProfile, layers: bool) -> None:
    from coarse_loftr_lab.evaluation.tables import text_table
    from coarse_loftr_lab.profiling.design_rules import RULES, check_rules
    from coarse_loftr_lab.profiling.report import block_cells, header, layer_cells

    print(f"{profile.model} {profile.sha256}, {profile.size}, {profile.precision}")
    for name, described in profile.runtimes.items():
        print(f"{name}: {described}, ms that one in ten of {profile.runs} runs takes at most")
    for graph in profile.graphs:
        print(f"\n{graph.graph}\n{text_table(header('block', graph), block_cells(graph))}")
        for one in graph.runtimes:
            print(f"{one.runtime}: {one.run_ms:.3f} ms a run by the clock")
        if layers:
            print(f"\n{text_table(header('layer', graph), layer_cells(graph))}")
    for rule, said in RULES.items():
        print(f"\n{rule}: {said}")
        broken = [
            (graph, breach)
            for graph in profile.graphs
            for breach in check_rules(graph)
            if breach.rule == rule
        ]
        for graph, breach in broken:
            print(f"  broken in {graph.graph} at {breach.where}: {breach.what}")
        if not broken:
            print("  kept")
