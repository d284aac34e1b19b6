"""A published ONNX graph under ONNX Runtime or OpenVINO, for the baselines that are networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.files.digest import files_digest

__all__ = ["OnnxGraph", "Runtime"]

Runtime = Literal["onnxruntime", "openvino"]


class OnnxGraph:
    """A graph that is called with arrays and answers with arrays, in the graph's own order.

    Its ``settings`` are what its answers depend on, the file's content among them.

    Args:
        path: the ``.onnx`` file.
        runtime: ``onnxruntime`` or ``openvino``, both on the CPU in float32.
        threads: CPU threads; 0 leaves the choice to the runtime.

    Raises:
        FileNotFoundError: when the file is not there.
        ValueError: for an unknown runtime.
        ModuleNotFoundError: when the runtime is not installed.
    """

    def __init__(self, path: Path, runtime: Runtime = "onnxruntime", threads: int = 0) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"there is no ONNX file {path}")
        self.settings: dict[str, Any] = {
            "runtime": runtime,
            "graph": files_digest([path, __file__]),
        }
        if runtime == "onnxruntime":
            self._run = _under_onnxruntime(path, threads)
        elif runtime == "openvino":
            self._run = _under_openvino(path, threads)
        else:
            raise ValueError(f"runtime is {runtime!r}; it must be one of {get_args(Runtime)}")

    def __call__(self, *inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the graph once; the answer's arrays stay valid afterwards."""
        return self._run(*inputs)


def _under_onnxruntime(path: Path, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    return lambda *inputs: session.run(None, dict(zip(names, inputs, strict=True)))


def _under_openvino(path: Path, threads: int):
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def run(*inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        answer = request.infer(list(inputs), share_inputs=True)
        return [np.array(value) for value in answer.values()]

    return run
