"""Which runtime executes the network: by name, or ``auto`` with its reason."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from coarse_loftr_ros.backends.base import Backend, BackendError, ModelFiles
from coarse_loftr_ros.preprocessing import NetworkSize

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
        if not installed:
            raise BackendError(
                "backend 'auto' found neither OpenVINO nor ONNX Runtime; install one with "
                "pip install openvino, or pip install onnxruntime"
            )
        return BackendChoice(installed[0], f"auto: {installed[0]} is installed")
    if name not in installed:
        raise BackendError(f"backend '{name}' is not installed; pip install {name}")
    return BackendChoice(name, "as asked")


def create_backend(name: str, model: ModelFiles, size: NetworkSize, threads: int = 0) -> Backend:
    """Load ``model`` for ``size`` with the runtime that ``name`` resolves to.

    Slow: compiles and warms up (about half a second on a CPU; TensorRT takes seconds to minutes
    where its engines are not in the cache).

    Raises:
        BackendError: when that is not possible.
    """
    choice = choose_backend(name)
    if choice.name == "tensorrt":
        from coarse_loftr_ros.backends.tensorrt_backend import TensorRtBackend

        return TensorRtBackend(model, size)
    if choice.name == "openvino":
        from coarse_loftr_ros.backends.openvino_backend import OpenVinoBackend

        return OpenVinoBackend(model, size, threads)
    from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend

    return OnnxRuntimeBackend(model, size, threads)
