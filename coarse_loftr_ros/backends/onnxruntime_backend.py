"""ONNX Runtime on the CPU."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf

from coarse_loftr_ros.backends.base import (
    BackendError,
    CoarseMatches,
    EncodedImage,
    ModelFiles,
)
from coarse_loftr_ros.preprocessing import NetworkSize

__all__ = ["OnnxRuntimeBackend"]


class OnnxRuntimeBackend:
    """Runs the model with ONNX Runtime's CPU provider.

    Args:
        model: the exported model.
        size: network size to fix in the graphs.
        threads: CPU threads; 0 lets ONNX Runtime choose.

    Raises:
        BackendError: when the size does not fit the model or the graphs are refused.
    """

    name = "onnxruntime"

    def __init__(self, model: ModelFiles, size: NetworkSize, threads: int = 0) -> None:
        model.check_size(size)
        self.size = size
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.add_free_dimension_override_by_name("height", size.height)
        options.add_free_dimension_override_by_name("width", size.width)
        options.add_free_dimension_override_by_name("cells", model.cells(size))
        providers = ["CPUExecutionProvider"]
        try:
            self._encode = onnxruntime.InferenceSession(model.encode, options, providers)
            self._match = onnxruntime.InferenceSession(model.match, options, providers)
        except (Fail, InvalidGraph, InvalidProtobuf) as error:
            raise BackendError(f"ONNX Runtime cannot load model {model.name}: {error}") from error
        count = f"{threads} threads" if threads else "threads chosen by the runtime"
        self.description = f"ONNX Runtime {onnxruntime.__version__}, CPU float32, {count}, {size}"
        blank = self.encode(np.zeros((1, 1, size.height, size.width), np.float32))
        self.match(blank, blank)

    def encode(self, image: NDArray[np.float32]) -> EncodedImage:
        """See ``Backend.encode``."""
        tokens, fine = self._encode.run(None, {"image": image})
        return EncodedImage(tokens, fine[0])

    def match(self, reference: EncodedImage, current: EncodedImage) -> CoarseMatches:
        """See ``Backend.match``."""
        inputs = {"reference_tokens": reference.tokens, "current_tokens": current.tokens}
        return CoarseMatches(*(output[0] for output in self._match.run(None, inputs)))
