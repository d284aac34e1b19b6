"""OpenVINO's own performance counters."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import openvino
from numpy.typing import NDArray

from coarse_loftr_lab.profiling.kernels import Kernel, undisturbed
from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.backends.openvino_backend import compile_graphs
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["OpenVinoCounters"]

_PRODUCTS = ("Convolution", "FullyConnected", "MatMul")


class OpenVinoCounters:
    """Runs both graphs as the backend does, and counts.

    Args:
        model: the exported model.
        size: network size to compile for.
        threads: CPU threads; 0 lets OpenVINO choose.
        precision: ``fp32`` or ``int8``.

    Raises:
        BackendError: when OpenVINO refuses the graphs.
    """

    name = "openvino"

    def __init__(self, model: ModelFiles, size: NetworkSize, threads: int, precision: str) -> None:
        try:
            compiled = compile_graphs(model, size, threads, precision, PERF_COUNT=True)
        except (RuntimeError, ValueError, IndexError) as error:
            raise BackendError(f"OpenVINO cannot load model {model.name}: {error}") from error
        used = compiled[0].get_property("INFERENCE_NUM_THREADS")
        version = openvino.get_version().split("-")[0]
        self.description = f"OpenVINO {version}, CPU {precision}, {used} threads"
        self._executed = [graph.get_runtime_model().get_ordered_ops() for graph in compiled]
        self._requests = [graph.create_infer_request() for graph in compiled]
        self._times: list[list[dict[str, float]]] = [[], []]
        self._clocks: list[list[float]] = [[], []]

    def run(self, graph: int, inputs: Sequence[NDArray[Any]], counted: bool) -> list[NDArray[Any]]:
        """Run *encode* (0) or *match* (1), and keep its counters when it is counted."""
        request = self._requests[graph]
        start = time.perf_counter()
        request.infer(list(inputs), share_inputs=True)
        clock = 1e3 * (time.perf_counter() - start)
        if counted:
            self._clocks[graph].append(clock)
            self._times[graph].append(
                {
                    one.node_name: one.real_time.total_seconds() * 1e3
                    for one in request.profiling_info
                    if one.status.name == "EXECUTED"
                }
            )
        return [tensor.data.copy() for tensor in request.output_tensors]

    def run_ms(self, graph: int) -> float:
        """Time of the runs that were counted, by the clock, as ``undisturbed`` has it."""
        return undisturbed(self._clocks[graph])

    def kernels(self, graph: int) -> list[Kernel]:
        """What was executed, with ``undisturbed`` times."""
        nodes = self._executed[graph]
        places = {node.get_friendly_name(): k for k, node in enumerate(nodes)}
        return [
            Kernel(
                name=node.get_friendly_name(),
                product=_said(node, "layerType").startswith(_PRODUCTS),
                layers=tuple(filter(None, _said(node, "originalLayersNames").split(","))),
                readers=tuple(
                    places[port.get_node().get_friendly_name()]
                    for output in node.outputs()
                    for port in output.get_target_inputs()
                ),
                ms=undisturbed(
                    [run.get(node.get_friendly_name(), 0.0) for run in self._times[graph]]
                ),
            )
            for node in nodes
        ]


def _said(node: Any, key: str) -> str:
    """What the executed graph says of a node."""
    facts = node.get_rt_info()
    return facts[key].astype(str) if key in facts else ""
