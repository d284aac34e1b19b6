"""The engines of a model for one network size: from the cache, or built.

Run so far: with TensorRT for RTX without a GPU (tests) and on an H200, which is refused now.
"""

from __future__ import annotations

from collections.abc import Callable

from coarse_loftr_ros.backends.base import BackendError, ModelFiles, Reports
from coarse_loftr_ros.backends.float16 import HALF_RECIPE
from coarse_loftr_ros.backends.gpu import Gpu, find_gpu
from coarse_loftr_ros.backends.joined_graphs import GRAPHS, addition, input_shapes, joined_graph
from coarse_loftr_ros.backends.precision import graph_in
from coarse_loftr_ros.backends.tensorrt.builder import (
    BuildSettings,
    BuiltEngine,
    Progress,
    build_engine,
)
from coarse_loftr_ros.backends.tensorrt.cache import CheckedEngine, EngineCache
from coarse_loftr_ros.backends.tensorrt.library import Library, rtx_refusal
from coarse_loftr_ros.backends.tensorrt.manifest import EngineIdentity
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["PRECISIONS", "check_gpu", "obtain_engine", "obtain_engines"]

PRECISIONS = ("fp32", "fp16", "int8")

# Under which name an engine's identity knows the precision.
_RECIPES = {"fp32": "fp32", "fp16": HALF_RECIPE, "int8": "int8"}


def obtain_engine(
    library: Library,
    cache: EngineCache,
    model: ModelFiles,
    graph: str,
    size: NetworkSize,
    precision: str = "fp32",
    settings: BuildSettings | None = None,
    progress: Progress | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> CheckedEngine:
    """The engine of one graph for this machine.

    Args:
        library: TensorRT.
        cache: looked into first, and given what is built.
        model: as exported.
        graph: one of ``GRAPHS``.
        size: of the network image.
        precision: one of ``PRECISIONS``: as exported, float16 where the weights are, or with int8
            convolutions, which the model must have.
        settings: of the builder.
        progress: called with the share of a build that is done.
        on_wait: called with a sentence when another process is building.

    Raises:
        BackendError: when there can be no such engine here, with the reason.
    """
    if precision not in PRECISIONS:
        raise BackendError(f"precision is '{precision}'; it must be one of {', '.join(PRECISIONS)}")
    model.check_size(size)
    if precision == "int8" and graph == "match":
        precision = "fp32"  # int8 leaves this graph as it is: one engine serves both
    # A converted graph is known by what it was converted from and how.
    exported = graph_in(model, graph, "fp32" if precision == "fp16" else precision)
    added = addition(model, graph, size)
    gpu = find_gpu()
    check_gpu(library, gpu)
    identity = EngineIdentity.here(
        library=library,
        gpu=gpu,
        model=model.name,
        graph=graph,
        onnx=exported + added.encode(),
        precision=_RECIPES[precision],
        size=str(size),
    )

    def build() -> BuiltEngine:
        source = joined_graph(model, graph, size, precision)
        return build_engine(library, source, input_shapes(model, graph, size), settings, progress)

    return cache.obtain(identity, build, on_wait)


def obtain_engines(
    library: Library,
    cache: EngineCache,
    model: ModelFiles,
    size: NetworkSize,
    precision: str,
    reports: Reports,
) -> list[CheckedEngine]:
    """The engines of all graphs for this machine, in the order of ``GRAPHS``.

    Args:
        library: TensorRT.
        cache: see ``obtain_engine``.
        model: as exported.
        size: of the network image.
        precision: one of ``PRECISIONS``.
        reports: receives the progress of a build, and how long it took.

    Raises:
        BackendError: see ``obtain_engine``.
    """
    engines = []
    for graph in GRAPHS:
        task = f"building the {precision} engine '{graph}' for {size} with {library.title}"
        engine = obtain_engine(
            library,
            cache,
            model,
            graph,
            size,
            precision,
            progress=lambda part, phase, task=task: reports.progress(task, part),
            on_wait=reports.info,
        )
        if engine.built:
            seconds = engine.manifest.build_seconds
            reports.info(f"{task} took {seconds:.1f} s, because {engine.note}")
        engines.append(engine)
    return engines


def check_gpu(library: Library, gpu: Gpu | None) -> None:
    """Refuse a GPU, or none, for which the library cannot build the engines.

    Raises:
        BackendError: with what can be used instead.
    """
    if gpu is None and not library.portable:
        raise BackendError(
            f"{library.title} needs the GPU that an engine is for, and there is none here (no "
            "NVIDIA GPU, or no driver); TensorRT for RTX builds engines without one"
        )
    refusal = rtx_refusal(gpu) if gpu is not None and library.portable else None
    if refusal:
        raise BackendError(f"{library.title} {refusal}")
