"""ONNX Runtime's own performance counters."""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray

from coarse_loftr_lab.profiling.kernels import Kernel, undisturbed
from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.backends.joined_graphs import GRAPHS
from coarse_loftr_ros.backends.onnxruntime_backend import REFUSALS, session_options
from coarse_loftr_ros.backends.precision import graph_in
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["OnnxRuntimeCounters"]

_PRODUCTS = ("Conv", "MatMul", "Gemm")  # and what is fused of them: QLinearConv, FusedMatMul, ...
_ENDING = "_kernel_time"


class OnnxRuntimeCounters:
    """Runs both graphs as the backend does, and counts.

    Args:
        model: the exported model.
        size: network size to fix in the graphs.
        threads: CPU threads; 0 lets ONNX Runtime choose.
        precision: ``fp32``, ``fp16`` or ``int8``.

    Raises:
        BackendError: when ONNX Runtime refuses the graphs.
    """

    name = "onnxruntime"

    def __init__(self, model: ModelFiles, size: NetworkSize, threads: int, precision: str) -> None:
        count = f"{threads} threads" if threads else "threads chosen by the runtime"
        self.description = f"ONNX Runtime {onnxruntime.__version__}, CPU {precision}, {count}"
        # The profile is a file, and so is the graph that is executed.
        self._folder = tempfile.TemporaryDirectory(prefix="coarse_loftr_profile_")
        self._sessions, self._executed = [], []
        for graph in GRAPHS:
            options = session_options(model, size, threads, precision)
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(self._folder.name) / graph)
            executed = Path(self._folder.name) / f"{graph}.executed.onnx"
            options.optimized_model_filepath = str(executed)
            try:
                session = onnxruntime.InferenceSession(
                    graph_in(model, graph, precision), options, ["CPUExecutionProvider"]
                )
            except REFUSALS as error:
                raise BackendError(
                    f"ONNX Runtime cannot load model {model.name}: {error}"
                ) from error
            self._sessions.append(session)
            self._executed.append(onnx.load(executed).graph.node)
        self._counted: list[list[bool]] = [[], []]
        self._clocks: list[list[float]] = [[], []]

    def run(self, graph: int, inputs: Sequence[NDArray[Any]], counted: bool) -> list[NDArray[Any]]:
        """Run *encode* (0) or *match* (1), and keep its counters when it is counted."""
        session = self._sessions[graph]
        names = [value.name for value in session.get_inputs()]
        start = time.perf_counter()
        outputs = session.run(None, dict(zip(names, inputs, strict=True)))
        clock = 1e3 * (time.perf_counter() - start)
        self._counted[graph].append(counted)
        if counted:
            self._clocks[graph].append(clock)
        return outputs

    def run_ms(self, graph: int) -> float:
        """Time of the runs that were counted, by the clock, as ``undisturbed`` has it."""
        return undisturbed(self._clocks[graph])

    def kernels(self, graph: int) -> list[Kernel]:
        """What was executed, with ``undisturbed`` times; no run can follow."""
        events = json.loads(Path(self._sessions[graph].end_profiling()).read_text())
        times = defaultdict(list)
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith(_ENDING):
                times[event["name"].removesuffix(_ENDING)].append(event["dur"] / 1e3)
        counted = self._counted[graph]
        nodes = [node for node in self._executed[graph] if node.op_type != "Constant"]
        readers = defaultdict(list)
        for place, node in enumerate(nodes):
            for name in node.input:
                readers[name].append(place)
        return [
            Kernel(
                name=node.name,
                product=any(kind in node.op_type for kind in _PRODUCTS),
                layers=tuple(node.output),
                readers=tuple(place for name in node.output for place in readers[name]),
                ms=undisturbed(list(compress(times[node.name], counted)))
                if node.name in times
                else 0.0,
            )
            for node in nodes
        ]
