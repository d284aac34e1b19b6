"""The graphs that GPUs run, in ONNX Runtime without anything bound: what binding is measured by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import CellMatches, EngineFolder, ModelFiles
from coarse_loftr_ros.backends.cuda.providers import Provider, find_provider
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
        runtime: ``cpu``, or one of ``CUDA_RUNTIMES``, with the options of the backend ``cuda``.
        threads: CPU threads; 0 lets ONNX Runtime choose.

    Raises:
        BackendError: when ONNX Runtime cannot use it here.
    """

    name = "joined graphs"
    failure = ""

    def __init__(
        self,
        model: ModelFiles,
        size: NetworkSize,
        precision: str = "fp32",
        runtime: str = "cpu",
        threads: int = 0,
    ) -> None:
        import onnxruntime

        self.size, self.precision = size, precision
        cpu = runtime == "cpu"
        provider = Provider.cpu() if cpu else find_provider(runtime, EngineFolder())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        if precision == "fp16" and cpu:
            # Or it would leave roundings to float16 out.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._encode, self._match = (
            provider.session(joined_graph(model, graph, size, precision), options)
            for graph in GRAPHS
        )
        self.description = (
            f"ONNX Runtime {onnxruntime.__version__}, {provider.title}, {precision}, {size}"
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
