"""The graphs that GPUs run, in ONNX Runtime without anything bound: what binding is measured by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import BackendError, CellMatches, ModelFiles
from coarse_loftr_ros.backends.decoding import select_cells
from coarse_loftr_ros.backends.joined_graphs import GRAPHS, joined_graph
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["JoinedGraphs"]


class JoinedGraphs:
    """A ``Backend`` of the joined graphs; features are what ``encode`` returns, tokens and fine.

    Args:
        model: the exported model.
        size: network size.
        precision: ``fp32``, ``fp16`` or ``int8``.
        provider: of ONNX Runtime, such as ``CUDAExecutionProvider``.
        threads: CPU threads; 0 lets ONNX Runtime choose.

    Raises:
        BackendError: when ONNX Runtime does not have the provider.
    """

    name = "joined graphs"
    failure = ""

    def __init__(
        self,
        model: ModelFiles,
        size: NetworkSize,
        precision: str = "fp32",
        provider: str = "CPUExecutionProvider",
        threads: int = 0,
    ) -> None:
        import onnxruntime

        self.size, self.precision = size, precision
        if provider == "CUDAExecutionProvider" and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # CUDA and cuDNN of wheels
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        if precision == "fp16" and provider == "CPUExecutionProvider":
            # Or it would leave roundings to float16 out.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._encode, self._match = (
            onnxruntime.InferenceSession(
                joined_graph(model, graph, size, precision),
                options,
                [provider],
            )
            for graph in GRAPHS
        )
        if self._encode.get_providers()[0] != provider:  # a warning is all that it makes of that
            raise BackendError(f"ONNX Runtime {onnxruntime.__version__} cannot use {provider} here")
        self.description = (
            f"ONNX Runtime {onnxruntime.__version__}, {provider}, {precision}, {size}"
        )

    def encode(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """See ``Backend.encode``."""
        return self._encode.run(None, {"grey_image": image[None, None]})

    def match(
        self,
        reference: list[NDArray[np.float32]],
        current: list[NDArray[np.float32]],
        corners: Callable[[], NDArray[np.float32]],
        threshold: float,
        limit: int,
    ) -> CellMatches:
        """See ``Backend.match``."""
        inputs = {
            "reference_tokens": reference[0],
            "reference_fine": reference[1],
            "current_tokens": current[0],
            "current_fine": current[1],
            "corners": corners(),
        }
        return select_cells(*self._match.run(None, inputs), threshold, limit)

    def close(self) -> None:
        """See ``Backend.close``."""
