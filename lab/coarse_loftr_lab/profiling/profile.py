"""Counts a model's layers, and measures them with runtimes that take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.profiling.kernels import Kernel, times_of_layers
from coarse_loftr_lab.profiling.layer_costs import LayerCost, layer_costs
from coarse_loftr_lab.profiling.results import GraphProfile, ModelProfile, RuntimeTimes
from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.backends.joined_graphs import GRAPHS
from coarse_loftr_ros.backends.precision import graph_in
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

__all__ = ["PROFILED", "ProfileSettings", "profile_model"]

PROFILED = ("openvino", "onnxruntime")
"""Runtimes whose counters can be read, preferred first."""

_INPUTS = {"encode": ["image"], "match": ["reference_tokens", "current_tokens"]}
# Runs of a runtime before the next one's turn, and those before them that wake its threads up.
_TURN, _UNCOUNTED = 5, 2


@dataclass(frozen=True)
class ProfileSettings:
    """What is measured.

    Attributes:
        runtimes: some of ``PROFILED``.
        precision: ``fp32``, ``fp16`` or ``int8``, which each of them must have.
        threads: CPU threads of each; 0 lets it choose.
        runs: of each graph that are counted.
    """

    runtimes: tuple[str, ...]
    precision: str
    threads: int = 0
    runs: int = 200

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise ValueError(f"threads is {self.threads}; it must not be negative")
        if self.runs < 1:
            raise ValueError(f"runs is {self.runs}; it must be at least 1")


class _Counters(Protocol):
    name: str
    description: str

    def run(
        self, graph: int, inputs: Sequence[NDArray[Any]], counted: bool
    ) -> list[NDArray[Any]]: ...

    def run_ms(self, graph: int) -> float: ...

    def kernels(self, graph: int) -> list[Kernel]: ...


def profile_model(
    model: ModelFiles,
    size: NetworkSize,
    settings: ProfileSettings,
    progress: Callable[[int, int], None] | None = None,
) -> ModelProfile:
    """Count a model's layers, and measure them with runtimes that take turns.

    The image is a drawn landscape, which is matched with itself shifted.

    Args:
        model: as exported.
        size: of the network image.
        settings: what to measure, and how often.
        progress: called with the number of runs done and of all.

    Raises:
        BackendError: when the size does not fit, a runtime cannot load the model, or a layer cannot
            be counted.
        ImportError: when ``onnx`` or a runtime is missing.
    """
    model.check_size(size)
    counters = [
        _counters(name, model, size, settings.threads, settings.precision)
        for name in settings.runtimes
    ]
    runs, precision = settings.runs, settings.precision
    scene = draw_landscape(size.width, size.height).astype(np.float32)[None, None] / 255
    inputs = _inputs(counters[0], scene)
    for done in range(0, runs, _TURN):
        for one in counters:
            for counted in (False,) * _UNCOUNTED + (True,) * min(_TURN, runs - done):
                for graph, arrays in enumerate(inputs):
                    one.run(graph, arrays, counted)
        if progress is not None:
            progress(min(done + _TURN, runs), runs)
    graphs = []
    for graph, (name, arrays) in enumerate(zip(GRAPHS, inputs, strict=True)):
        named = dict(zip(_INPUTS[name], arrays, strict=True))
        layers = _layers(model, name, precision, named)
        measured = (
            RuntimeTimes(one.name, times_of_layers(one.kernels(graph), layers), one.run_ms(graph))
            for one in counters
        )
        graphs.append(GraphProfile(name, layers, tuple(measured)))
    described = {one.name: one.description for one in counters}
    return ModelProfile(model.name, model.sha256, size, precision, described, runs, tuple(graphs))


def _layers(
    model: ModelFiles, graph: str, precision: str, inputs: dict[str, NDArray[Any]]
) -> tuple[LayerCost, ...]:
    try:
        return layer_costs(graph_in(model, graph, precision), inputs)
    except ValueError as error:
        raise BackendError(f"model {model.name} cannot be counted, {graph}: {error}") from error


def _inputs(counters: _Counters, scene: NDArray[np.float32]) -> list[list[NDArray[Any]]]:
    """An image for *encode*, and for *match* the tokens of it and of the same image shifted."""
    shifted = np.roll(scene, (8, 16), (2, 3))
    return [[scene], [counters.run(0, [image], False)[0] for image in (scene, shifted)]]


def _counters(name: str, *how: Any) -> _Counters:
    if name == "openvino":
        from coarse_loftr_lab.profiling.openvino_counters import OpenVinoCounters

        return OpenVinoCounters(*how)
    from coarse_loftr_lab.profiling.onnxruntime_counters import OnnxRuntimeCounters

    return OnnxRuntimeCounters(*how)
