"""Which runtime executes the network: by name, or ``auto`` with its reason."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from coarse_loftr_ros.backends.base import (
    Backend,
    BackendError,
    EngineFolder,
    ModelFiles,
    Reports,
)
from coarse_loftr_ros.backends.fallback import FallbackBackend
from coarse_loftr_ros.backends.precision import choose_precision
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = [
    "BACKEND_NAMES",
    "BackendChoice",
    "choose_backend",
    "create_backend",
    "installed_backends",
]

BACKEND_NAMES = ("auto", "openvino", "onnxruntime", "tensorrt")

# In order of preference on a CPU; the module is imported only when the runtime is chosen.
_CPU_MODULES = {"openvino": "openvino", "onnxruntime": "onnxruntime"}


@dataclass(frozen=True)
class BackendChoice:
    """The runtime to use and why."""

    name: str
    reason: str


def installed_backends() -> list[str]:
    """Runtimes that could be loaded here, in order of preference."""
    return [name for name, module in _CPU_MODULES.items() if importlib.util.find_spec(module)]


def _tensorrt_obstacle() -> str | None:
    """What keeps TensorRT from running here, found out without importing it."""
    from coarse_loftr_ros.backends.tensorrt.gpu import find_gpu
    from coarse_loftr_ros.backends.tensorrt.library import installation_advice, is_installed

    if not is_installed():
        return f"TensorRT is not installed ({installation_advice()})"
    if not importlib.util.find_spec("pycuda"):
        return "PyCUDA is not installed (pip install pycuda, which needs CUDA's headers)"
    if find_gpu() is None:
        return "there is no NVIDIA GPU, or no driver for it"
    return None


def choose_backend(name: str) -> BackendChoice:
    """Resolve ``auto`` and refuse what cannot run here.

    Args:
        name: one of ``BACKEND_NAMES``.

    Raises:
        BackendError: in words that say what to do instead.
    """
    if name not in BACKEND_NAMES:
        raise BackendError(f"backend is '{name}'; it must be one of {', '.join(BACKEND_NAMES)}")
    if name == "tensorrt":
        obstacle = _tensorrt_obstacle()
        if obstacle:
            raise BackendError(
                f"backend 'tensorrt' is not available: {obstacle}; use 'openvino' or "
                "'onnxruntime' on the CPU, or 'auto'"
            )
        return BackendChoice(name, "as asked")
    installed = installed_backends()
    if name == "auto":
        if _tensorrt_obstacle() is None:
            return BackendChoice("tensorrt", "auto: an NVIDIA GPU and TensorRT are there")
        if not installed:
            raise BackendError(
                "backend 'auto' found neither OpenVINO nor ONNX Runtime; install one with "
                "pip install openvino, or pip install onnxruntime"
            )
        return BackendChoice(installed[0], f"auto: {installed[0]} is installed")
    if name not in installed:
        raise BackendError(f"backend '{name}' is not installed; pip install {name}")
    return BackendChoice(name, "as asked")


def create_backend(
    name: str,
    model: ModelFiles,
    size: NetworkSize,
    threads: int = 0,
    precision: str = "auto",
    engines: EngineFolder | None = None,
    reports: Reports | None = None,
) -> Backend:
    """Load ``model`` for ``size`` with the runtime that ``name`` resolves to.

    Slow: compiles and warms up (about half a second on a CPU; TensorRT takes seconds to minutes
    where its engines are not in the cache). With ``auto``, a GPU that cannot be used or fails later
    is replaced by the CPU, in the precision that suits it.

    Args:
        name: one of ``BACKEND_NAMES``.
        model: as exported.
        size: of the network image.
        threads: CPU threads; 0 lets the runtime choose.
        precision: one of ``PRECISION_NAMES``; ``auto`` is the fastest of the runtime that keeps
            the accuracy of fp32.
        engines: folder of TensorRT's engines; by default that of ``EngineFolder``.
        reports: receives slow work and a replacement.

    Raises:
        BackendError: when that is not possible.
    """
    choice = choose_backend(name)
    precision = choose_precision(precision, choice.name, model)
    if choice.name != "tensorrt":
        return _create_on_cpu(choice.name, model, size, threads, precision)
    reports = reports or Reports()
    others = installed_backends()
    if name != "auto" or not others:
        return _create_tensorrt(model, size, precision, engines, reports)

    def create_other() -> Backend:
        return _create_on_cpu(others[0], model, size, threads, "auto")

    try:
        backend = _create_tensorrt(model, size, precision, engines, reports)
    except BackendError as error:
        reports.warning(
            f"backend auto: tensorrt cannot be used, going on with {others[0]}: {error}"
        )
        return create_other()
    return FallbackBackend(backend, create_other, reports.warning)


def _create_tensorrt(
    model: ModelFiles,
    size: NetworkSize,
    precision: str,
    engines: EngineFolder | None,
    reports: Reports,
) -> Backend:
    try:
        from coarse_loftr_ros.backends.tensorrt_backend import TensorRtBackend
    except ImportError as error:  # compiled for another Python, NumPy or driver
        raise BackendError(f"PyCUDA cannot be loaded: {error}") from error
    return TensorRtBackend(model, size, precision, engines, reports)


def _create_on_cpu(
    name: str, model: ModelFiles, size: NetworkSize, threads: int, precision: str
) -> Backend:
    if name == "openvino":
        from coarse_loftr_ros.backends.openvino_backend import OpenVinoBackend

        return OpenVinoBackend(model, size, threads, precision)
    from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend

    return OnnxRuntimeBackend(model, size, threads, precision)
