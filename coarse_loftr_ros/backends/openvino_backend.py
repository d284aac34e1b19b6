"""OpenVINO on the CPU."""

from __future__ import annotations

import functools
import os

import numpy as np
import openvino
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.backends.cpu import CpuBackend, CpuFeatures
from coarse_loftr_ros.backends.decoding import CoarseMatches, with_border
from coarse_loftr_ros.backends.precision import choose_precision, graph_in
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["OpenVinoBackend", "compile_graphs"]


@functools.cache
def _core() -> openvino.Core:
    """One for the process.

    Each Core gives its thread another stack for signals and puts the one before it back at its
    end. Of two whose ends come in the order of their beginnings, the second puts back the stack
    that went with the first, and Ctrl-C then ends the process with a segmentation fault (seen with
    OpenVINO 2026.4).

    Its oneDNN would keep the kernels of 1024 layers, also of networks that are gone: 150 MB after
    60 image sizes. Loading and running a network are as fast without.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0")
    return openvino.Core()


def compile_graphs(
    model: ModelFiles, size: NetworkSize, threads: int, precision: str, **options: object
) -> tuple[openvino.CompiledModel, openvino.CompiledModel]:
    """The graphs *encode* and *match* as this backend runs them.

    Args:
        model: the exported model.
        size: network size to compile for.
        threads: CPU threads; 0 lets OpenVINO choose.
        precision: ``fp32`` or ``int8``.
        options: further properties of OpenVINO.

    Raises:
        RuntimeError: (or ``ValueError`` or ``IndexError``) when OpenVINO refuses the graphs.
    """
    config: dict[str, object] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        **options,
    }
    if threads:
        config["INFERENCE_NUM_THREADS"] = threads
    core = _core()
    encode = core.read_model(graph_in(model, "encode", precision))
    encode.reshape({"image": [1, 1, size.height, size.width]})
    match = core.read_model(graph_in(model, "match", precision))
    channels = match.input("reference_tokens").partial_shape[2].get_length()
    tokens = [1, model.cells(size), channels]
    match.reshape({"reference_tokens": tokens, "current_tokens": tokens})
    return tuple(core.compile_model(graph, "CPU", config) for graph in (encode, match))


class OpenVinoBackend(CpuBackend):
    """Runs the model with OpenVINO.

    What is not int8 is float32, never bfloat16, so that results do not depend on the CPU's age.

    Args:
        model: the exported model.
        size: network size to compile for.
        threads: CPU threads; 0 lets OpenVINO choose.
        precision: ``auto``, ``fp32`` or ``int8``.

    Raises:
        BackendError: when the size or precision does not fit the model or OpenVINO refuses the
            graphs.
    """

    name = "openvino"

    def __init__(
        self, model: ModelFiles, size: NetworkSize, threads: int = 0, precision: str = "auto"
    ) -> None:
        super().__init__(model, size)
        self._threads = threads
        self.precision = choose_precision(precision, self.name, model)
        try:
            compiled = compile_graphs(model, size, threads, self.precision)
            self._encode, self._match = (graph.create_infer_request() for graph in compiled)
            self._warm_up()
        except (RuntimeError, ValueError, IndexError) as error:
            raise BackendError(f"OpenVINO cannot load model {model.name}: {error}") from error
        used = compiled[0].get_property("INFERENCE_NUM_THREADS")
        version = openvino.get_version().split("-")[0]
        self.description = f"OpenVINO {version}, CPU {self.precision}, {used} threads, {size}"

    def _run_encode(self, image: NDArray[np.float32]) -> CpuFeatures:
        self._encode.set_input_tensor(_tensor(image))
        self._encode.infer(share_outputs=True)
        # The request's own buffers are overwritten by the next image: these must be kept.
        tokens = self._encode.get_output_tensor(0).data.copy()
        return CpuFeatures(tokens, with_border(self._encode.get_output_tensor(1).data[0]))

    def _begin(self, reference: CpuFeatures, current: CpuFeatures) -> None:
        self._match.set_input_tensor(0, _tensor(reference.tokens))
        self._match.set_input_tensor(1, _tensor(current.tokens))
        if self._threads == 1:
            # Work in the background is done by a thread of its own, one more than was asked for.
            self._match.infer(share_outputs=True)
        else:
            self._match.start_async()

    def _compared(self) -> CoarseMatches:
        self._match.wait()
        return CoarseMatches(*(self._match.get_output_tensor(i).data[0] for i in range(5)))


def _tensor(array: NDArray[np.float32]) -> openvino.Tensor:
    """An array where it lies. To give arrays to a request directly takes ten times as long."""
    return openvino.Tensor(array, shared_memory=True)
