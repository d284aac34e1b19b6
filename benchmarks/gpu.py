"""The proof of the backends of a GPU: right, safe to use, and how fast.

It needs the package, its Python requirements and no network; for ``backend: cuda``
onnxruntime-gpu, for ``backend: tensorrt`` a TensorRT, PyCUDA and cuda-bindings:

1. Parity: matches, points and homographies beside those of ONNX Runtime on the CPU, in fp32, on
   image pairs with known homographies (``--images``, in HPatches' layout) or on a drawn flight.
2. Threads: one backend used by several threads in turn, and two at the same time.
3. Release: the backend made and closed 50 times; memory of the GPU before and after.
4. Times: encode, match and a whole frame, copies included, with and without CUDA graphs, with
   ONNX Runtime also without anything bound, and both images of a stereo camera encoded in one
   call and in two.

What does not run has its message in the report, cut to 120 characters. Without a CUDA provider,
``backend: cuda`` is run on the CPU's, which proves its parity and nothing about a GPU. Engines are
built in any case where the library can. Where PyTorch is installed, the same network is timed in
it, eagerly. At most 60 lines are printed; the table of docs/results_gpu.md lies beside the report.

For a machine without a network, bring wheels made on one of the same kind (``pip download -d
wheels``): numpy, opencv-python-headless, onnx, onnxruntime, cuda-bindings, and for x86-64 either
``tensorrt`` or ``tensorrt-rtx-cu13-libs`` with ``tensorrt-rtx-cu13-bindings`` (RTX GPUs of compute
capability 8.6, 8.9 and 12.x). PyCUDA is compiled: ``pip wheel pycuda`` on a machine with CUDA's
toolkit. Without one, ``scripts/install-pycuda`` installs what works on a machine with a driver,
too, and pip keeps the wheel (``pip cache list pycuda --format=abspath``). ``onnxruntime-gpu`` takes
the place of onnxruntime; it wants CUDA and cuDNN, which ``pip download
"onnxruntime-gpu[cuda,cudnn]"`` brings as wheels. A file that is too large to carry: ``split -b
60M``, then ``cat`` in order.

Building takes most of the time. The report is saved after every part and engines are kept, so a run
that was cut short has lost nothing, and the next one is quicker.

    python benchmarks/gpu.py --images homography/ --json gpu.json
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gpu_parts.eager import eager
from gpu_parts.floor import floor
from gpu_parts.parity import compare_with_truth, image_pairs, parity, threads_agree
from gpu_parts.results import FAILURES, attempt, environment, line_of, short, table
from gpu_parts.times import reconfigure, stereo, tensorrt, times

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_lab.evaluation.joined_graphs import JoinedGraphs
from coarse_loftr_ros.backends.base import (
    SHIPPED_MODELS,
    Backend,
    BackendError,
    ModelFiles,
)
from coarse_loftr_ros.backends.cuda.providers import Provider
from coarse_loftr_ros.backends.cuda_backend import CudaBackend
from coarse_loftr_ros.backends.joined_graphs import GRAPHS
from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
from coarse_loftr_ros.backends.tensorrt.cache import EngineCache
from coarse_loftr_ros.backends.tensorrt.engines import obtain_engine
from coarse_loftr_ros.backends.tensorrt.library import load_library
from coarse_loftr_ros.files.json_text import json_text
from coarse_loftr_ros.images.preprocessing import NetworkSize, network_size


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what there is and print it; the exit status is 1 when a check has failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--images", type=Path, help="folder in HPatches' layout (a drawn flight)")
    parser.add_argument("--pairs", type=int, default=20, help="most pairs to compare (20)")
    parser.add_argument("--models", nargs="+", default=list(SHIPPED_MODELS), metavar="MODEL")
    parser.add_argument("--width", type=int, default=640, help="of the images, px (640)")
    parser.add_argument("--height", type=int, default=480, help="of the images, px (480)")
    parser.add_argument("--rounds", type=int, default=300, help="of each timing (300)")
    parser.add_argument("--reconfigurations", type=int, default=50, help="(50)")
    parser.add_argument("--seconds", type=float, default=60, help="most for those of a model (60)")
    parser.add_argument("--json", type=Path, help="write the report to this file as it grows")
    options = parser.parse_args(arguments)
    report: dict[str, Any] = {"environment": environment(), "models": {}}

    def save() -> None:
        """So that a part that ends the process leaves the others behind."""
        if options.json:
            options.json.write_text(json_text(report) + "\n")
            options.json.with_suffix(".md").write_text(table(report) + "\n")

    where = report["environment"]
    print(*(f"{key}: {short(str(where[key]))}" for key in where if key != "packages"), sep="\n")
    pairs = image_pairs(options)
    for name in options.models:
        result: dict[str, Any] = {"failed_checks": []}
        report["models"][name] = result
        measure(ModelFiles.load(name), pairs, options, result, save)
    save()
    for title, devices in {
        "TensorRT": ("TensorRT",),
        "ONNX Runtime": ("CUDA", "TensorRT in"),
    }.items():
        if not any(has_run(model, devices) for model in report["models"].values()):
            print(f"{title} has not run on a GPU here: nothing above says anything about it")
    failures = [row for model in report["models"].values() for row in model["failed_checks"]]
    print("\n".join(map(short, failures)) or "every check that could be made has passed")
    return 1 if failures else 0


def has_run(model: dict[str, Any], beginnings: tuple[str, ...]) -> bool:
    """Whether a runtime whose title begins so has a figure in a model's report."""
    rows = model["runtimes"]
    return any(row["runtime"].startswith(beginnings) and "times_ms" in row for row in rows)


# --- what is measured ---------------------------------------------------------------------------


def measure(
    model: ModelFiles,
    pairs: list[HomographyPair],
    options: argparse.Namespace,
    result: dict[str, Any],
    save: Callable[[], None],
) -> None:
    """Everything about one model, put into ``result`` and saved part by part."""
    pixels = model.network_pixels
    size = network_size(options.width, options.height, pixels, model.size_multiple)
    print(f"\n{model.name}, images {options.width}x{options.height}, network {size}")
    rows, failed = [], result["failed_checks"]
    result |= {"network": [size.width, size.height], "runtimes": rows}
    # int8 is held to int8: what rounding weights does to matches is no matter of the runtime.
    references = {
        precision: compare_with_truth(
            OnnxRuntimeBackend(model, size, precision=precision), model, pairs
        )
        for precision in precisions_of(model)
        if precision != "fp16"
    }
    for label, precision, graphs, make in runtimes(model, size):
        reference = references.get(precision, references["fp32"])
        row: dict[str, Any] = {"runtime": label, "precision": precision, "cuda_graphs": graphs}
        rows.append(row)
        try:
            start = time.perf_counter()
            with contextlib.closing(make()) as backend:
                row["load_s"] = time.perf_counter() - start
                row["description"] = backend.description
                row["recorded"] = getattr(backend, "recorded", "")
                found = compare_with_truth(backend, model, pairs)
                row["parity"] = parity(found, reference, pairs)
                row["times_ms"] = times(backend, model, pairs[0], options.rounds)
            if label.startswith("TensorRT") or "CUDA graphs" in label:
                row["threads_agree"] = threads_agree(make, model, pairs)
                if not row["threads_agree"]:
                    failed.append(f"{model.name}, {label}: threads get other matches")
        except FAILURES as error:
            row["error"] = short(str(error))
        if "parity" in row and (
            row["parity"]["overlap"] < 0.9 or row["parity"]["points_p95_px"] > 1.0
        ):
            failed.append(f"{model.name}, {label}: not the matches of the CPU")
        print(" ", line_of(row), flush=True)
        save()
    for key, part in {
        "reconfiguration": lambda: reconfigure(
            model, size, options.reconfigurations, options.seconds
        ),
        "stereo_ms": lambda: stereo(model, size, options.rounds),
        "eager_pytorch": lambda: eager(model, size, options.rounds),
        "engines": lambda: engines(model, size),
        "floor": lambda: {name: floor(model, size, name) for name in ("fp32", "fp16")},
    }.items():
        result[key] = attempt(part)
        if (
            key in ("reconfiguration", "stereo_ms", "eager_pytorch")
            or "not measured" in result[key]
        ):
            print(f"  {key}: {short(str(result[key]))}", flush=True)
        save()
    if result["reconfiguration"].get("growth_mib", 0) > 16:
        failed.append(f"{model.name}: memory of the GPU grows with each configuration")


def precisions_of(model: ModelFiles) -> tuple[str, ...]:
    """In which a model can be run."""
    return ("fp32", "fp16", "int8") if model.encode_int8 else ("fp32", "fp16")


def runtimes(
    model: ModelFiles, size: NetworkSize
) -> Iterator[tuple[str, str, str, Callable[[], Backend]]]:
    """Everything that may run the graphs here, the GPU first.

    Name, precision, whether CUDA graphs are ``wanted``, and what makes the backend.
    """
    precisions = precisions_of(model)
    for precision in precisions:
        for graphs in (True, False):
            title = f"TensorRT {precision}, {'with' if graphs else 'without'} CUDA graphs"
            wanted = "wanted" if graphs else ""
            make = functools.partial(tensorrt, model, size, precision, graphs)
            yield title, precision, wanted, make
    import onnxruntime

    cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    on = None if cuda else Provider.cpu()
    name = "CUDA" if cuda else "CPU"
    for precision in precisions:
        for graphs in (True, False):
            kept = (
                ("bound, with CUDA graphs" if cuda else "at fixed addresses") if graphs else "bound"
            )
            make = functools.partial(
                CudaBackend, model, size, precision, use_cuda_graphs=graphs, provider=on
            )
            yield f"{name} {precision}, {kept}", precision, "wanted" if graphs else "", make
        make = functools.partial(JoinedGraphs, model, size, precision, name.lower())
        yield f"{name} {precision}, not bound", precision, "", make
    if cuda:
        for precision in precisions:
            make = functools.partial(CudaBackend, model, size, precision, "tensorrt")
            yield f"TensorRT in ONNX Runtime {precision}", precision, "wanted", make


def engines(model: ModelFiles, size: NetworkSize) -> list[dict[str, Any]]:
    """Whether and how fast the library here builds every engine; from the cache where it can."""
    rows = []
    for precision in precisions_of(model):
        for graph in GRAPHS:
            row: dict[str, Any] = {"graph": graph, "precision": precision}
            try:
                library = load_library()
                engine = obtain_engine(library, EngineCache(), model, graph, size, precision)
                row |= {"library": library.title, "build_s": engine.manifest.build_seconds}
                row["mib"] = len(engine.data) / 2**20
            except BackendError as error:
                row["error"] = short(str(error))
            rows.append(row)
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
