"""Providers of ONNX Runtime that run on an NVIDIA GPU, and the CPU's for machines without one.

Run so far: the CPU's (tests); CUDA's on an H200 without CUDA graphs. TensorRT's was not run yet.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from dataclasses import dataclass
from typing import Any

from coarse_loftr_ros.backends.base import BackendError, EngineFolder
from coarse_loftr_ros.backends.gpu import find_gpu

__all__ = ["CUDA_RUNTIMES", "INSTALL", "Provider", "find_provider", "one_line"]

CUDA_RUNTIMES = ("cuda", "tensorrt")
"""Providers that the backend ``cuda`` can use on an NVIDIA GPU."""

_NAMES = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
INSTALL = "pip uninstall onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]'"
"""How to get an ONNX Runtime with the CUDA provider: the two packages share their files."""


@dataclass(frozen=True)
class Provider:
    """A provider of ONNX Runtime and where its tensors lie.

    Attributes:
        name: such as ``CUDAExecutionProvider``.
        device: as ONNX Runtime names it, ``cuda`` or ``cpu``.
        options: of the provider.
        graph_options: those that make it record CUDA graphs; empty where it has none.
    """

    name: str
    device: str
    options: dict[str, str]
    graph_options: dict[str, str]

    @classmethod
    def cpu(cls) -> Provider:
        """The CPU: all of the backend but the GPU, for machines without one."""
        return cls("CPUExecutionProvider", "cpu", {}, {})

    @classmethod
    def cuda(cls) -> Provider:
        """CUDA and cuDNN; float32 is float32 and not TensorFloat-32."""
        options = {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE"}
        return cls("CUDAExecutionProvider", "cuda", options, {"enable_cuda_graph": "1"})

    @classmethod
    def tensorrt(cls, engines: EngineFolder) -> Provider:
        """TensorRT within ONNX Runtime; its engines are kept in a checked folder.

        Number formats are those of the graph, but for TensorFloat-32, which this provider has no
        option against: the environment's ``NVIDIA_TF32_OVERRIDE=0`` switches it off.

        Raises:
            BackendError: when somebody else can write there.
        """
        from coarse_loftr_ros.backends.tensorrt.cache import EngineCache

        folder = EngineCache(engines.path).onnxruntime_folder()
        options = {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(folder),
        }
        graphs = {"trt_cuda_graph_enable": "1"}
        return cls("TensorrtExecutionProvider", "cuda", options, graphs)

    @property
    def title(self) -> str:
        """For people, with the GPU that it runs on."""
        gpu = find_gpu() if self.device == "cuda" else None
        return f"{self.name} on {gpu.name}" if gpu else self.name

    def session(self, graph: bytes, options: Any, recording: bool = False) -> Any:
        """A session that runs on this provider.

        Args:
            graph: of ONNX.
            options: ``SessionOptions``.
            recording: whether CUDA graphs are to be recorded.

        Raises:
            BackendError: when ONNX Runtime would go on with the CPU, of which it makes a line.
        """
        import onnxruntime

        providers = self.session_arguments(recording)
        refusal = f"ONNX Runtime {onnxruntime.__version__} cannot use {self.name} here"
        try:
            session = onnxruntime.InferenceSession(graph, options, providers, enable_fallback=0)
        except RuntimeError as error:  # what it refuses of a graph has classes of its own
            raise BackendError(f"{refusal}; {self.needs} ({one_line(error)})") from error
        session.disable_fallback()
        used = session.get_providers()[0]
        if used != self.name:
            raise BackendError(f"{refusal} and would use {used}; {self.needs}")
        return session

    @property
    def needs(self) -> str:
        """What has to be there besides ONNX Runtime, and what to do where it is not."""
        if self.name == _NAMES["tensorrt"]:
            return (
                "it needs the libraries of TensorRT, CUDA and cuDNN in the major versions that it "
                "was built for; pip install tensorrt, or use runtime 'cuda'"
            )
        return f"it needs CUDA and cuDNN in the major versions that it was built for; {INSTALL}"

    def session_arguments(self, recording: bool) -> list[tuple[str, dict[str, str]]]:
        """What ONNX Runtime is given as its providers.

        Args:
            recording: whether CUDA graphs are to be recorded.
        """
        own = (self.name, self.options | (self.graph_options if recording else {}))
        if self.name != _NAMES["tensorrt"]:
            return [own]
        cuda = Provider.cuda()
        return [own, (cuda.name, cuda.options)]  # runs what TensorRT leaves out


def find_provider(runtime: str, engines: EngineFolder) -> Provider:
    """The provider of a runtime, with its libraries loaded.

    Args:
        runtime: one of ``CUDA_RUNTIMES``.
        engines: folder of engines.

    Raises:
        BackendError: when the installed ONNX Runtime does not have it, with what to install.
    """
    import onnxruntime

    if runtime not in CUDA_RUNTIMES:
        raise BackendError(f"runtime is '{runtime}'; it must be {' or '.join(CUDA_RUNTIMES)}")
    if _NAMES[runtime] not in onnxruntime.get_available_providers():
        raise BackendError(
            f"ONNX Runtime {onnxruntime.__version__} has no {_NAMES[runtime]}; {INSTALL}"
        )
    if hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(sys.stderr):  # where it prints what it does not find
            onnxruntime.preload_dlls()  # CUDA and cuDNN of wheels
    if runtime == "cuda":
        return Provider.cuda()
    with contextlib.suppress(ImportError, OSError, RuntimeError):  # ONNX Runtime says it better
        importlib.import_module("tensorrt")  # which loads the libraries of its wheels
    return Provider.tensorrt(engines)


def one_line(error: Exception) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())
