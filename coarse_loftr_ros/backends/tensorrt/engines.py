"""The engines of a model for one network size: from the cache, or built."""

from __future__ import annotations

from collections.abc import Callable

from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.backends.tensorrt.builder import (
    BuildSettings,
    BuiltEngine,
    Progress,
    build_engine,
)
from coarse_loftr_ros.backends.tensorrt.cache import CheckedEngine, EngineCache
from coarse_loftr_ros.backends.tensorrt.gpu import Gpu, find_gpu
from coarse_loftr_ros.backends.tensorrt.library import Library
from coarse_loftr_ros.backends.tensorrt.manifest import EngineIdentity
from coarse_loftr_ros.preprocessing import NetworkSize
from coarse_loftr_ros.quantisation.half import HALF_RECIPE, to_half

__all__ = ["GRAPHS", "PRECISIONS", "obtain_engine"]

GRAPHS = ("encode", "match")
PRECISIONS = ("fp32", "fp16")

# Under which name an engine's identity knows the precision.
_RECIPES = {"fp32": "fp32", "fp16": HALF_RECIPE}


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
        precision: one of ``PRECISIONS``: as exported, or float16 where the weights are.
        settings: of the builder.
        progress: told how far a build is.
        on_wait: told in a sentence that another process is building.

    Raises:
        BackendError: when there can be no such engine here, with the reason.
    """
    if precision not in PRECISIONS:
        raise BackendError(f"precision is '{precision}'; it must be {' or '.join(PRECISIONS)}")
    model.check_size(size)
    onnx = (model.encode if graph == "encode" else model.match).read_bytes()
    identity = EngineIdentity.here(
        library=library,
        gpu=_gpu_for(library),
        model=model.name,
        graph=graph,
        onnx=onnx,
        precision=_RECIPES[precision],
        size=str(size),
    )

    def build() -> BuiltEngine:
        source = onnx if precision == "fp32" else _converted(onnx)
        return build_engine(library, source, _dimensions(model, graph, size), settings, progress)

    return cache.obtain(identity, build, on_wait)


def _gpu_for(library: Library) -> Gpu | None:
    gpu = find_gpu()
    if gpu is None and not library.portable:
        raise BackendError(
            f"{library.title} needs the GPU that an engine is for, and there is none here (no "
            "NVIDIA GPU, or no driver); TensorRT for RTX builds engines without one"
        )
    return gpu


def _dimensions(model: ModelFiles, graph: str, size: NetworkSize) -> dict[str, tuple[int, ...]]:
    """Shapes of a graph's inputs; the number of channels is the graph's own."""
    if graph == "encode":
        return {"image": (1, 1, size.height, size.width)}
    tokens = (1, model.cells(size), -1)
    return {"reference_tokens": tokens, "current_tokens": tokens}


def _converted(onnx: bytes) -> bytes:
    try:
        return to_half(onnx)
    except ImportError as error:
        raise BackendError(
            f"precision 'fp16' converts the graphs with the onnx package ({error}); pip install "
            "onnx, or use 'fp32'"
        ) from error
    except ValueError as error:
        raise BackendError(str(error)) from error
