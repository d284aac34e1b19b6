"""What the GPU benchmark says: where it ran, a line per runtime, the table of the documentation."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.backends.gpu import find_gpu
from coarse_loftr_ros.backends.tensorrt.library import load_library

PACKAGES = ("numpy", "opencv-python-headless", "onnx", "onnxruntime", "onnxruntime-gpu", "pycuda")
PACKAGES += ("cuda-bindings", "nvidia-cudnn-cu13", "tensorrt", "tensorrt-rtx-cu13-libs", "torch")

# What a part may fail of without taking the others with it: a runtime that refuses or fails
# (``BackendError`` and PyTorch's errors are RuntimeErrors), a package or a file that is missing,
# and the errors of ONNX Runtime, which have no common base.
FAILURES = (
    RuntimeError,
    ImportError,
    OSError,
    ValueError,
    onnxruntime_errors.EPFail,
    onnxruntime_errors.Fail,
    onnxruntime_errors.InvalidGraph,
    onnxruntime_errors.NotImplemented,
    onnxruntime_errors.RuntimeException,
)

HEADER = """\
| GPU, driver, library | model, precision | CUDA graphs | overlap with the CPU, points 95 % \
| encode / match / frame, ms | stereo pair: 1 run / 2 runs, ms | memory after configurations |
| --- | --- | --- | --- | --- | --- | --- |"""


def short(text: str, most: int = 120) -> str:
    """A text on one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."


def attempt(part: Callable[[], Any]) -> Any:
    """What a part of the measurement returns, or why there is nothing."""
    try:
        return part()
    except FAILURES as error:
        return {"not measured": short(f"{type(error).__name__}: {error}")}


def environment() -> dict[str, Any]:
    """What figures depend on besides the code."""
    gpu, driver = find_gpu(), Path("/proc/driver/nvidia/version")
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    try:
        library = load_library().title
    except BackendError as error:
        library = str(error)
    return {
        "gpu": f"{gpu.name} ({gpu.compute_capability})" if gpu else "none, or no driver for it",
        "driver": driver.read_text().splitlines()[0] if driver.is_file() else "none",
        "tensorrt": library,
        "platform": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "packages": versions,
    }


def line_of(row: dict[str, Any]) -> str:
    """One runtime on a line."""
    if "times_ms" not in row:
        return f"{row['runtime']}: NOT RUN: {row['error']}"
    same, spans = row["parity"], row["times_ms"]
    return (
        f"{row['runtime']}: overlap {same['overlap']:.3f}, {same['points_p95_px']:.3f} px; "
        f"{_steps(spans)} ms, pipeline {_median(spans['pipeline'])}"
        + (f"; then FAILED: {row['error']}" if "error" in row else "")
    )


def table(report: dict[str, Any]) -> str:
    """The table of docs/results_gpu.md; a runtime that does not run has its reason there."""
    where = ", ".join(report["environment"][key] for key in ("gpu", "driver", "tensorrt"))
    lines = [HEADER]
    for name, model in report["models"].items():
        for row in model.get("runtimes", ()):
            lines.append("| " + " | ".join([where, *_cells(name, model, row)]) + " |")
        for precision, spans in model.get("eager_pytorch", {}).items():
            if "frame" in spans:
                cells = [where, f"{name}, eager PyTorch {precision}", "", "", _steps(spans), "", ""]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(name: str, model: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """All but the first column of a runtime's row."""
    what = f"{name}, {row['runtime']}"
    if "times_ms" not in row:
        reason = row["error"].replace("|", "/")
        return [what, "", f"not run: {reason}", "", "", ""]
    same, spans = row["parity"], row["times_ms"]
    pair = memory = ""
    if (row["precision"], row["cuda_graphs"]) == ("fp16", "wanted"):  # what these were measured in
        pair = _of(
            model, "stereo_ms", lambda ms: " / ".join(_median(ms[key]) for key in sorted(ms))
        )
        memory = _of(
            model,
            "reconfiguration",
            lambda used: f"{used['growth_mib']:+.1f} MiB after {used['count']}",
        )
    return [
        what,
        row["recorded"],
        f"{same['overlap']:.3f}, {same['points_p95_px']:.3f} px",
        _steps(spans),
        pair,
        memory,
    ]


def _of(model: dict[str, Any], part: str, text: Callable[[dict[str, Any]], str]) -> str:
    measured = model.get(part, {"not measured": ""})
    return "" if "not measured" in measured else text(measured)


def _steps(spans: dict[str, dict[str, float]]) -> str:
    return " / ".join(_median(spans[step]) for step in ("encode", "match", "frame"))


def _median(span: dict[str, float]) -> str:
    return f"{span['p50']:.2f}"
