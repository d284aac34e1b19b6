"""Which runtime executes the network: by name, or ``auto`` with its reason."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coarse_loftr_ros.backends.base import (
    Backend,
    BackendError,
    EngineFolder,
    ModelFiles,
    Reports,
)
from coarse_loftr_ros.backends.fallback import FallbackBackend
from coarse_loftr_ros.backends.precision import can_compute, choose_precision
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = [
    "BACKEND_NAMES",
    "BackendChoice",
    "choose_backend",
    "create_backend",
    "installed_backends",
]

_GPU = ("tensorrt", "cuda")
_CPU = ("openvino", "onnxruntime", "ncnn")  # the Python modules of these runtimes have their names
_PREFERENCE = (*_GPU, *_CPU)
BACKEND_NAMES = ("auto", *_PREFERENCE)
"""What a user may ask for; ``auto`` takes the first of the others that can be used."""


@dataclass(frozen=True)
class BackendChoice:
    """The runtime to use and why.

    Attributes:
        name: of the runtime.
        reason: ``as asked``, or what ``auto`` took and what it passed over.
    """

    name: str
    reason: str


def installed_backends() -> list[str]:
    """CPU runtimes that could be loaded here, in order of preference."""
    return [name for name in _CPU if importlib.util.find_spec(name)]


def choose_backend(name: str) -> BackendChoice:
    """Resolve ``auto`` and refuse what cannot run here; nothing is imported or loaded for that.

    Args:
        name: one of ``BACKEND_NAMES``.

    Raises:
        BackendError: in words that say what to do instead.
    """
    if name not in BACKEND_NAMES:
        raise BackendError(f"backend is '{name}'; it must be one of {', '.join(BACKEND_NAMES)}")
    if name == "auto":
        return _choose_automatically({})
    obstacle = _obstacle(name)
    if obstacle is None:
        return BackendChoice(name, "as asked")
    if name in _CPU:
        raise BackendError(f"backend '{name}' is not installed; pip install {name}")
    raise BackendError(
        f"backend '{name}' is not available: {obstacle}; use 'openvino' or 'onnxruntime' on the "
        "CPU, or 'auto'"
    )


def create_backend(
    name: str,
    model: ModelFiles,
    size: NetworkSize,
    threads: int = 0,
    precision: str = "auto",
    engines: EngineFolder | None = None,
    reports: Reports | None = None,
    runtime: str = "cuda",
) -> Backend:
    """Load ``model`` for ``size`` with the runtime that ``name`` resolves to.

    Slow: compiles and warms up (about half a second on a CPU; TensorRT takes seconds to minutes
    where its engines are not in the cache). A GPU is compared with the CPU before it is used. With
    ``auto``, one that cannot be used, computes something else or fails later makes way for the
    next runtime, in the precision asked for, or ``auto`` where that one cannot compute in it.

    Args:
        name: one of ``BACKEND_NAMES``.
        model: as exported.
        size: of the network image.
        threads: CPU threads; 0 lets the runtime choose.
        precision: one of ``PRECISION_NAMES``; ``auto`` is the fastest of the runtime that keeps
            the accuracy of fp32.
        engines: folder of TensorRT's engines; by default that of ``EngineFolder``.
        reports: receives slow work, what ``auto`` takes and a replacement.
        runtime: of the backend ``cuda``: one of ``CUDA_RUNTIMES``.

    Raises:
        BackendError: when that is not possible.
    """
    reports = reports or Reports()
    choice = choose_backend(name)
    asked, precision = precision, choose_precision(precision, choice.name, model)

    def of_next(runtime: str) -> str:
        return asked if can_compute(runtime, asked, model) else "auto"

    if name != "auto":
        if choice.name in _GPU:
            return _create_on_gpu(choice.name, model, size, precision, engines, reports, runtime)
        return _create_on_cpu(choice.name, model, size, threads, precision)

    refused: dict[str, str] = {}
    while choice.name in _GPU:
        try:
            backend = _create_on_gpu(choice.name, model, size, precision, engines, reports, runtime)
            break
        except BackendError as error:
            refused[choice.name] = str(error)
            choice = _choose_automatically(refused)
            precision = choose_precision(of_next(choice.name), choice.name, model)
    else:
        backend = _create_on_cpu(choice.name, model, size, threads, precision)
    if refused:
        reports.warning(f"backend {choice.reason}")
        backend.description += _passed_over(refused)
    else:
        reports.info(f"backend {choice.reason}")
    others = [one for one in installed_backends() if can_compute(one, "fp32", model)]
    if choice.name in _CPU or not others:
        return backend

    def create_other() -> Backend:
        return _create_on_cpu(others[0], model, size, threads, of_next(others[0]))

    return FallbackBackend(backend, create_other, reports.warning)


def _choose_automatically(refused: Mapping[str, str]) -> BackendChoice:
    """The first runtime without an obstacle.

    Args:
        refused: GPU runtimes that were tried, and why each cannot be used.

    Raises:
        BackendError: when there is none.
    """
    passed_over = dict(refused)
    for name in _PREFERENCE:
        if name in refused:
            continue
        obstacle = _obstacle(name)
        if obstacle is None:
            return BackendChoice(name, f"auto: takes {name}{_passed_over(passed_over)}")
        passed_over[name] = obstacle
    raise BackendError(
        "backend 'auto' found neither OpenVINO, ONNX Runtime nor ncnn; install one with pip "
        f"install openvino, pip install onnxruntime or pip install ncnn{_passed_over(passed_over)}"
    )


def _passed_over(passed_over: Mapping[str, str]) -> str:
    """The runtimes that were passed over, and why; empty where none was."""
    reasons = ", ".join(f"{name} ({why})" for name, why in passed_over.items())
    return f"; passed over: {reasons}" if reasons else ""


def _obstacle(name: str) -> str | None:
    """What keeps a runtime from running here, found out without importing it."""
    if name in _CPU:
        return None if importlib.util.find_spec(name) else "not installed"
    from coarse_loftr_ros.backends.gpu import find_gpu

    gpu = find_gpu()
    if gpu is None:  # then nobody needs to install anything
        return "there is no NVIDIA GPU, or no driver for it"
    missing = _tensorrt_missing() if name == "tensorrt" else _cuda_missing()
    if missing:
        return missing
    if name == "tensorrt":
        from coarse_loftr_ros.backends.tensorrt.library import installed_library, rtx_refusal

        refusal = rtx_refusal(gpu)
        if refusal and installed_library() == "tensorrt_rtx":
            return f"TensorRT for RTX {refusal}"
    return None


def _tensorrt_missing() -> str | None:
    from coarse_loftr_ros.backends.tensorrt.library import installation_advice, installed_library

    if installed_library() is None:
        return f"TensorRT is not installed ({installation_advice()})"
    if not importlib.util.find_spec("pycuda"):
        return "PyCUDA is not installed (pip install pycuda, which needs CUDA's headers)"
    return None


def _cuda_missing() -> str | None:
    from coarse_loftr_ros.backends.cuda.providers import INSTALL

    spec = importlib.util.find_spec("onnxruntime")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []
    libraries = (folder / "capi" / "libonnxruntime_providers_cuda.so" for folder in folders)
    if not any(library.is_file() for library in libraries):
        return f"ONNX Runtime's CUDA provider is not installed ({INSTALL})"
    return None


def _create_on_gpu(
    name: str,
    model: ModelFiles,
    size: NetworkSize,
    precision: str,
    engines: EngineFolder | None,
    reports: Reports,
    runtime: str,
) -> Backend:
    """A backend of a GPU that computes what the CPU does.

    Raises:
        BackendError: when there is none.
    """
    from coarse_loftr_ros.backends.self_check import GpuBackend, check_backend

    try:
        backend: GpuBackend
        if name == "tensorrt":
            from coarse_loftr_ros.backends.tensorrt_backend import TensorRtBackend

            backend = TensorRtBackend(model, size, precision, engines, reports)
        else:
            from coarse_loftr_ros.backends.cuda_backend import CudaBackend

            backend = CudaBackend(model, size, precision, runtime, engines)
    except ImportError as error:  # compiled for another Python, NumPy or driver
        raise BackendError(f"backend '{name}' cannot be loaded: {error}") from error
    try:
        check_backend(backend, model, engines, reports)
    except BackendError:
        backend.close()
        raise
    return backend


def _create_on_cpu(
    name: str, model: ModelFiles, size: NetworkSize, threads: int, precision: str
) -> Backend:
    try:
        if name == "openvino":
            from coarse_loftr_ros.backends.openvino_backend import OpenVinoBackend as CpuBackend
        elif name == "ncnn":
            from coarse_loftr_ros.backends.ncnn_backend import NcnnBackend as CpuBackend
        else:
            from coarse_loftr_ros.backends.onnxruntime_backend import (
                OnnxRuntimeBackend as CpuBackend,
            )
    except ImportError as error:
        raise BackendError(f"backend '{name}' cannot be loaded: {error}") from error
    return CpuBackend(model, size, threads, precision)
