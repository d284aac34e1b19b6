"""TensorRT on the first NVIDIA GPU, with PyCUDA for memory, streams and contexts.

Written against the documented interfaces and NOT YET RUN ON A GPU; ``auto`` does not choose it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pycuda.driver as cuda
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import (
    BackendError,
    CoarseMatches,
    EncodedImage,
    ModelFiles,
)
from coarse_loftr_ros.backends.tensorrt.cache import CheckedEngine, EngineCache
from coarse_loftr_ros.backends.tensorrt.engines import obtain_engine
from coarse_loftr_ros.backends.tensorrt.library import Library, load_library
from coarse_loftr_ros.preprocessing import NetworkSize

__all__ = ["TensorRtBackend"]

_MATCH_OUTPUTS = ("weight", "reference_sum", "current_sum", "reference_max", "current_max")


class TensorRtBackend:
    """Runs the model with TensorRT; tokens stay on the GPU between frames.

    A CUDA context belongs to the threads that have it current: the device's primary context,
    which TensorRT uses too, is retained once and made current for the time of each call, so that
    the thread that builds need not be the one that runs.

    Args:
        model: the exported model.
        size: network size to build for; builds take seconds to minutes and are kept.
        precision: see ``obtain_engine``.

    Raises:
        BackendError: when there is no usable GPU or library, or the engines cannot be built.
    """

    name = "tensorrt"

    def __init__(self, model: ModelFiles, size: NetworkSize, precision: str = "fp32") -> None:
        self.size = size
        library = load_library()
        cache = EngineCache()
        encode, match = (
            obtain_engine(library, cache, model, graph, size, precision)
            for graph in ("encode", "match")
        )
        try:
            cuda.init()
            device = cuda.Device(0)
            self._context = device.retain_primary_context()
        except cuda.Error as error:
            raise BackendError(f"CUDA cannot use the GPU: {error}") from error
        with self._current("load the engines"):
            self._stream = cuda.Stream()
            self._encode = _Graph(library, encode)
            self._match = _Graph(library, match)
        self._free_tokens: list[Any] = []
        self.description = f"{library.title}, {device.name()} {precision}, {size}"
        blank = self.encode(np.zeros((1, 1, size.height, size.width), np.float32))
        self.match(blank, blank)

    def encode(self, image: NDArray[np.float32]) -> EncodedImage:
        """See ``Backend.encode``."""
        graph, stream = self._encode, self._stream
        with self._current("encode an image"):
            if self._free_tokens:
                memory = self._free_tokens.pop()
            else:
                memory = cuda.mem_alloc(graph.host["tokens"].nbytes)
            tokens = _Tokens(memory, self._free_tokens)
            np.copyto(graph.host["image"], image)
            cuda.memcpy_htod_async(graph.device["image"], graph.host["image"], stream)
            graph.enqueue(stream, {"tokens": memory})
            cuda.memcpy_dtoh_async(graph.host["fine"], graph.device["fine"], stream)
            stream.synchronize()
        return EncodedImage(tokens, graph.host["fine"][0].copy())

    def match(self, reference: EncodedImage, current: EncodedImage) -> CoarseMatches:
        """See ``Backend.match``."""
        graph, stream = self._match, self._stream
        with self._current("match two images"):
            tokens = {
                "reference_tokens": reference.tokens.memory,
                "current_tokens": current.tokens.memory,
            }
            graph.enqueue(stream, tokens)
            for name in _MATCH_OUTPUTS:
                cuda.memcpy_dtoh_async(graph.host[name], graph.device[name], stream)
            stream.synchronize()
        return CoarseMatches(*(graph.host[name][0] for name in _MATCH_OUTPUTS))

    @contextmanager
    def _current(self, task: str) -> Iterator[None]:
        """Make the GPU's context current; CUDA's failures become a ``BackendError``."""
        try:
            self._context.push()
            try:
                yield
            finally:
                cuda.Context.pop()
        except cuda.Error as error:
            raise BackendError(f"CUDA failed to {task}: {error}") from error


class _Tokens:
    """Tokens of one image on the GPU; when nobody keeps them, their memory is used again.

    Every call waits for the GPU before it returns, so no work is left that would read them.
    """

    def __init__(self, memory: Any, free: list[Any]) -> None:
        self.memory = memory
        self._free = free

    def __del__(self) -> None:
        self._free.append(self.memory)


class _Graph:
    """An engine with a buffer on the GPU and a pinned one on the host for each tensor.

    Shapes are asked of the engine, which was checked by its hash, not of its manifest.
    """

    def __init__(self, library: Library, engine: CheckedEngine) -> None:
        self._library = library
        self._runtime = library.module.Runtime(library.log)  # has to outlive its engines
        self._engine = self._runtime.deserialize_cuda_engine(engine.data)
        self._execution = self._engine and self._engine.create_execution_context()
        if not self._execution:
            reason = library.log.take_errors()
            raise BackendError(f"{library.title} cannot load the engine: {reason}")
        self.host: dict[str, NDArray[np.float32]] = {}
        self.device: dict[str, Any] = {}
        for i in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(i)
            shape = tuple(self._engine.get_tensor_shape(name))
            self.host[name] = cuda.pagelocked_empty(shape, np.float32)
            self.device[name] = cuda.mem_alloc(self.host[name].nbytes)

    def enqueue(self, stream: Any, instead: dict[str, Any]) -> None:
        """Start the engine on a stream.

        Args:
            stream: of CUDA.
            instead: memory on the GPU that takes the place of this graph's own, by tensor.
        """
        for name, memory in {**self.device, **instead}.items():
            self._execution.set_tensor_address(name, int(memory))
        if not self._execution.execute_async_v3(stream.handle):
            reason = self._library.log.take_errors()
            raise BackendError(f"{self._library.title} failed: {reason}")
