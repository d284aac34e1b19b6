"""``coarse-loftr engine``: TensorRT engines ahead of time, and what the cache holds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarse_loftr_ros.commands.common.errors import as_user_error
from coarse_loftr_ros.commands.common.options import size

if TYPE_CHECKING:
    from coarse_loftr_ros.backends.base import ModelFiles
    from coarse_loftr_ros.backends.tensorrt.cache import CachedEngine
    from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["add_parser", "run"]


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command."""
    parser = subparsers.add_parser(
        "engine",
        help="build TensorRT engines ahead of time; list, verify or clear the cache",
        description="TensorRT engines are kept in the user's cache folder, or in --engines, each "
        "with a manifest of what it was made from and for. One that is damaged, or of another "
        "model, library, GPU or platform, is never loaded but built again.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser(
        "build",
        help="build what is not in the cache yet",
        description="Build the engines that a node with the same model and image size loads. "
        "TensorRT needs the GPU for this; TensorRT for RTX does not.",
    )
    build.add_argument(
        "--model",
        default="fast",
        metavar="NAME|DIR",
        help="a model of the package (fast) or a folder that 'coarse-loftr export' wrote "
        "(default: %(default)s)",
    )
    build.add_argument(
        "--image-size",
        type=size,
        default=(640, 480),
        metavar="WxH",
        help="of the images to come, not of what the network sees of them (default: 640x480)",
    )
    build.add_argument(
        "--network-pixels",
        type=int,
        default=0,
        metavar="PX",
        help="as the node's parameter (default: 0, what the model was made for)",
    )
    build.add_argument(
        "--precision",
        default="auto",
        help="fp32, fp16 (float16 where the weights are) or int8 (default: %(default)s, what the "
        "node's auto takes)",
    )
    build.add_argument(
        "--optimisation-level",
        type=int,
        default=3,
        metavar="0..5",
        help="how long TensorRT looks for fast kernels; it changes no result, so an engine that is "
        "there already is kept ('engine clear' removes it) (default: %(default)s)",
    )
    build.add_argument(
        "--workspace",
        type=int,
        default=1024,
        metavar="MIB",
        help="most GPU memory that a layer may use as scratch space (default: %(default)s)",
    )
    listing = actions.add_parser(
        "list", help="list the engines, their size and what is wrong with any"
    )
    for action in (build, listing):
        action.add_argument(
            "--limit",
            type=_gigabytes,
            default=2.0,
            metavar="GB",
            help="size that the folder may have, as the node's parameter engines_limit: when an "
            "engine is built, those not used for longest make room, never one in use; 0 sets no "
            "limit (default: %(default)g)",
        )
    actions.add_parser(
        "verify",
        help="check every engine",
        description="Check every engine against its manifest, and whether it fits this machine's "
        "library and GPU. The exit code is 1 when one is damaged; an engine that is damaged or "
        "does not fit is built again when it is needed.",
    )
    actions.add_parser("clear", help="remove every engine")
    for action in actions.choices.values():
        action.add_argument(
            "--engines",
            type=Path,
            metavar="DIR",
            help="folder of the engines, to be given to the node as its parameter (default: in the "
            "user's cache folder)",
        )
    return parser


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    action = {"build": _build, "list": _list, "verify": _verify, "clear": _clear}[args.action]
    from coarse_loftr_ros.backends.base import BackendError

    with as_user_error(BackendError):
        return action(args)


def _gigabytes(text: str) -> float:
    """Parse a limit for argparse."""
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit <= 1000:
        raise argparse.ArgumentTypeError(f"'{text}' is no limit; it must be 0 to 1000 GB")
    return limit


def _build(args: argparse.Namespace) -> int:
    from coarse_loftr_ros.backends.base import ModelFiles
    from coarse_loftr_ros.backends.joined_graphs import GRAPHS
    from coarse_loftr_ros.backends.precision import choose_precision
    from coarse_loftr_ros.backends.tensorrt.builder import BuildSettings
    from coarse_loftr_ros.backends.tensorrt.cache import EngineCache
    from coarse_loftr_ros.backends.tensorrt.engines import obtain_engine
    from coarse_loftr_ros.backends.tensorrt.library import load_library

    model = ModelFiles.load(args.model)
    precision = choose_precision(args.precision, "tensorrt", model)
    network = _network_size(model, args)
    with as_user_error(ValueError):
        settings = BuildSettings(args.optimisation_level, args.workspace)
    library = load_library()
    cache = EngineCache(args.engines, round(args.limit * 1e9))
    kept = True
    for graph in GRAPHS:
        label = f"{model.name} {graph} {network} {precision}"
        with _ProgressLine(label) as line:
            engine = obtain_engine(
                library,
                cache,
                model,
                graph,
                network,
                precision,
                settings,
                progress=line.show,
                on_wait=line.say,
            )
        path = cache.path(engine.manifest.identity)
        if not engine.built:
            print(f"{label}: already there, {path}")
        else:
            seconds = engine.manifest.build_seconds
            place = path if engine.kept else "not kept"
            print(f"{label}: built with {library.title} in {seconds:.1f} s, {place}")
            print(f"  because {engine.note}")
            kept &= engine.kept
    return 0 if kept else 1


def _network_size(model: ModelFiles, args: argparse.Namespace) -> NetworkSize:
    from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings

    with as_user_error(ValueError):
        PipelineSettings(model=model, network_pixels=args.network_pixels)
    return model.network_size(*args.image_size, args.network_pixels)


def _entries(args: argparse.Namespace) -> list[CachedEngine]:
    from coarse_loftr_ros.backends.tensorrt.cache import EngineCache

    cache = EngineCache(args.engines)
    entries = cache.entries()
    print(f"{cache.folder}: {len(entries)} engine{'' if len(entries) == 1 else 's'}")
    return entries


def _list(args: argparse.Namespace) -> int:
    entries = _entries(args)
    limit = f"of at most {args.limit:g} GB" if args.limit else "without a limit"
    print(f"{sum(entry.size for entry in entries) / 1e9:.3f} GB {limit}")
    for entry in entries:
        print(f"{entry.path.name}  {entry.size / 2**20:.1f} MiB")
        if entry.manifest is not None:
            made = entry.manifest.identity
            gpu = "any GPU" if made.gpu == "any" else f"{made.gpu} ({made.compute_capability})"
            print(f"  {made.library} {made.library_version}, {gpu}, {made.platform}")
        if entry.problem:
            print(f"  will be built again: {entry.problem}")
    return 0


def _verify(args: argparse.Namespace) -> int:
    from coarse_loftr_ros.backends.gpu import find_gpu
    from coarse_loftr_ros.backends.tensorrt.library import load_library

    entries = _entries(args)
    library, gpu = load_library(), find_gpu()
    for entry in entries:
        verdict = f"damaged: {entry.problem}"
        if entry.manifest is not None and not entry.problem:
            made = entry.manifest.identity
            difference = made.difference(made.moved_to(library, gpu))
            verdict = f"not for this machine: {difference}" if difference else "intact"
        print(f"{entry.path.name}  {verdict}")
    return 1 if any(entry.problem for entry in entries) else 0


def _clear(args: argparse.Namespace) -> int:
    from coarse_loftr_ros.backends.tensorrt.cache import EngineCache

    cache = EngineCache(args.engines)
    count = cache.clear()
    print(f"{cache.folder}: {count} engine{'' if count == 1 else 's'} removed")
    return 0


class _ProgressLine:
    """How far a build is, on one line of a terminal; nothing where stderr is no terminal."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.shown = -1

    def __enter__(self) -> _ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown >= 0:
            print(file=sys.stderr)

    def show(self, part: float, phase: str) -> None:
        percent = int(100 * part)
        if percent != self.shown and sys.stderr.isatty():
            self.shown = percent
            line = f"\r{self.label}: {percent:3d} %  {phase[:50]:<50}"
            print(line, end="", file=sys.stderr, flush=True)

    def say(self, sentence: str) -> None:
        print(f"{self.label}: {sentence}", file=sys.stderr)
