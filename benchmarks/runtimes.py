"""The runtimes of a CPU beside each other: what they hold in memory, agreement, and time.

Each runtime that is installed loads each model in a process of its own, which says how long that
took, how much memory came with it, and how its matches of a drawn pair of images agree with ONNX
Runtime's in float32. Then all take turns in one process: the time of encoding one image and
comparing two, by the clock and of the CPU, each with its ratio to ONNX Runtime's of the same turn.
On a busy machine CPU time tells, for one thread: with more, the threads of the runtime that had
the turn before still wait by computing, and are counted. Run it on the board in question.

    python benchmarks/runtimes.py --threads 1 2
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import time
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from coarse_loftr_lab.evaluation.tables import Table
from coarse_loftr_ros.backends.base import SHIPPED_MODELS, ModelFiles
from coarse_loftr_ros.backends.precision import can_compute
from coarse_loftr_ros.backends.registry import create_backend, installed_backends
from coarse_loftr_ros.backends.self_check import agreement, drawn_pair
from coarse_loftr_ros.commands.common.options import size
from coarse_loftr_ros.images.preprocessing import NetworkSize

_REFERENCE = "onnxruntime"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", type=size, default=(448, 320), metavar="WxH")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], metavar="N")
    parser.add_argument("--model", nargs="+", choices=SHIPPED_MODELS, default=SHIPPED_MODELS)
    parser.add_argument(
        "--runtime", nargs="+", choices=installed_backends(), default=installed_backends()
    )
    parser.add_argument("--rounds", type=int, default=40, help="turns of each (default: 40)")
    args = parser.parse_args(arguments)
    if _REFERENCE not in installed_backends():
        parser.error("all are compared with ONNX Runtime: pip install onnxruntime")
    network = NetworkSize(*args.size)
    loaded: list[tuple[str, ...]] = []
    timed: list[tuple[str, ...]] = []
    for name in args.model:
        variants = _variants(name, {_REFERENCE, *args.runtime})
        for runtime, precision in variants:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                row = pool.apply(_load, (name, runtime, precision, network))
            loaded.append((f"{name} {precision}, {runtime}", *row))
        for threads in args.threads:
            timed += _time(name, variants, network, threads, args.rounds)
    columns = ("import, s", "load, s", "memory, MB", "same matches", "95 % of points within, px")
    print(f"{network}, loaded for one thread\n")
    print(Table(("", *columns), tuple(loaded)).markdown())
    print(f"\n{network}, encode one image and compare two, {args.rounds} rounds\n")
    spent = [(f"{kind}, ms", f"x {_REFERENCE} [10 - 90 %]") for kind in ("clock", "CPU")]
    columns = ("threads", *spent[0], *spent[1])
    print(Table(("", *columns), tuple(timed)).markdown())
    return 0


def _variants(name: str, runtimes: Set[str]) -> list[tuple[str, str]]:
    """Runtimes and precisions, the reference in fp32 first."""
    ordered = sorted(runtimes, key=lambda runtime: (runtime != _REFERENCE, runtime))
    each = [(runtime, precision) for runtime in ordered for precision in ("fp32", "int8")]
    return [one for one in each if can_compute(*one, ModelFiles.load(name))]


def _load(name: str, runtime: str, precision: str, network: NetworkSize) -> tuple[str, ...]:
    """Seconds, megabytes and agreement; for a process that has no runtime yet."""
    model = ModelFiles.load(name)
    before, start = _resident_mb(), time.perf_counter()
    importlib.import_module(f"coarse_loftr_ros.backends.{runtime}_backend")
    imported = time.perf_counter()
    backend = create_backend(runtime, model, network, 1, precision)
    done, held = time.perf_counter(), _resident_mb() - before
    found = agreement(backend, create_backend(_REFERENCE, model, network, 1, "fp32"), model)
    return (
        *(f"{seconds:.2f}" for seconds in (imported - start, done - imported)),
        *(f"{held:.0f}", f"{found.overlap:.1%}", f"{found.points_p95_px:.4f}"),
    )


def _time(
    name: str, variants: Sequence[tuple[str, str]], network: NetworkSize, threads: int, rounds: int
) -> list[tuple[str, ...]]:
    """Rows of one model; all runtimes take turns."""
    model = ModelFiles.load(name)
    backends = [create_backend(each, model, network, threads, bits) for each, bits in variants]
    images = drawn_pair(network)[:2]
    turns = np.array([[_once(backend, images) for backend in backends] for _ in range(rounds)])
    rows = []
    for k, (runtime, precision) in enumerate(variants):
        row = [f"{name} {precision}, {runtime}", str(threads)]
        for seconds in (turns[..., 0], turns[..., 1]):
            low, middle, high = np.quantile(seconds[:, k] / seconds[:, 0], (0.1, 0.5, 0.9))
            row += [
                f"{1e3 * np.median(seconds[:, k]):.1f}",
                f"{middle:.2f} [{low:.2f}, {high:.2f}]",
            ]
        rows.append(tuple(row))
    return rows


def _once(backend: Any, images: Sequence[Any]) -> tuple[float, float]:
    reference = backend.encode(images[0])
    clock, cpu = time.perf_counter(), time.process_time()
    backend.compare(reference, backend.encode(images[1]))
    return time.perf_counter() - clock, time.process_time() - cpu


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
