"""ONNX Runtime on the CPU."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.backends.cpu import CpuBackend, CpuFeatures
from coarse_loftr_ros.backends.decoding import CoarseMatches, with_border
from coarse_loftr_ros.backends.precision import choose_precision, graph_in
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["REFUSALS", "OnnxRuntimeBackend", "session_options"]


REFUSALS = (
    errors.EPFail,
    errors.Fail,
    errors.InvalidArgument,
    errors.InvalidGraph,
    errors.InvalidProtobuf,
    errors.NotImplemented,
    errors.RuntimeException,
    ValueError,
    IndexError,
)
"""How ONNX Runtime refuses a graph; ``ValueError``: one that has not the outputs asked for."""


def session_options(
    model: ModelFiles, size: NetworkSize, threads: int, precision: str
) -> onnxruntime.SessionOptions:
    """The options with which this backend runs both graphs of a model.

    Args:
        model: the exported model.
        size: network size to fix in the graphs.
        threads: CPU threads; 0 lets ONNX Runtime choose.
        precision: ``fp32``, ``fp16`` or ``int8``.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_free_dimension_override_by_name("height", size.height)
    options.add_free_dimension_override_by_name("width", size.width)
    options.add_free_dimension_override_by_name("cells", model.cells(size))
    if precision == "fp16":
        # Or it would leave roundings to float16 out.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


class OnnxRuntimeBackend(CpuBackend):
    """Runs the model with ONNX Runtime's CPU provider.

    In fp16 the provider rounds as a GPU would and takes longer than in fp32: it serves to measure
    what fp16 does to accuracy.

    Args:
        model: the exported model.
        size: network size to fix in the graphs.
        threads: CPU threads; 0 lets ONNX Runtime choose.
        precision: ``auto``, ``fp32``, ``fp16`` or ``int8``.

    Raises:
        BackendError: when the size or precision does not fit the model or the graphs are refused.
    """

    name = "onnxruntime"

    def __init__(
        self, model: ModelFiles, size: NetworkSize, threads: int = 0, precision: str = "auto"
    ) -> None:
        super().__init__(model, size)
        self.precision = choose_precision(precision, self.name, model)
        options = session_options(model, size, threads, self.precision)
        providers = ["CPUExecutionProvider"]
        encode, match = (graph_in(model, graph, self.precision) for graph in ("encode", "match"))
        try:
            self._encode = onnxruntime.InferenceSession(encode, options, providers)
            self._match = onnxruntime.InferenceSession(match, options, providers)
            self._warm_up()
        except REFUSALS as error:
            raise BackendError(f"ONNX Runtime cannot load model {model.name}: {error}") from error
        count = f"{threads} threads" if threads else "threads chosen by the runtime"
        self.description = (
            f"ONNX Runtime {onnxruntime.__version__}, CPU {self.precision}, {count}, {size}"
        )

    def _run_encode(self, image: NDArray[np.float32]) -> CpuFeatures:
        tokens, fine = self._encode.run(None, {"image": image})
        return CpuFeatures(tokens, with_border(fine[0]))

    def _begin(self, reference: CpuFeatures, current: CpuFeatures) -> None:
        inputs = {"reference_tokens": reference.tokens, "current_tokens": current.tokens}
        self._coarse = CoarseMatches(*(output[0] for output in self._match.run(None, inputs)))

    def _compared(self) -> CoarseMatches:
        return self._coarse
