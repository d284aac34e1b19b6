"""TensorRT on the first NVIDIA GPU, with PyCUDA for memory, streams and contexts.

Run so far: everything here on a driver of host memory made for the tests, where ONNX Runtime took
the part of TensorRT's runtime. Nothing has computed on a GPU yet, as TensorRT for RTX, the only one
at hand, refuses an H200. ``backends/self_check.py`` asks for proof before it is used, and
``benchmarks/gpu.py`` measures the rest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pycuda.driver as cuda
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import (
    BackendError,
    CellMatches,
    DeviceError,
    EngineFolder,
    ModelFiles,
    Reports,
)
from coarse_loftr_ros.backends.decoding import select_cells
from coarse_loftr_ros.backends.gpu_features import FeaturePool, GpuFeatures
from coarse_loftr_ros.backends.tensorrt.cache import EngineCache
from coarse_loftr_ros.backends.tensorrt.cuda_graph import CudaGraph
from coarse_loftr_ros.backends.tensorrt.device import first_device
from coarse_loftr_ros.backends.tensorrt.engines import obtain_engines
from coarse_loftr_ros.backends.tensorrt.execution import LoadedEngine
from coarse_loftr_ros.backends.tensorrt.library import load_library
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["TensorRtBackend"]

_ALIGNMENT = 256  # of a tensor's address, as TensorRT asks for


class TensorRtBackend:
    """Runs the model with TensorRT; features stay on the GPU, and only matches come back.

    Engines read and write at fixed addresses, so that each can be a CUDA graph together with its
    copies to and from the host. Features that are kept are copied out of there and back within
    the GPU, which costs microseconds. Encoding is only started: its time is part of the match that
    waits for it, and the CPU meanwhile looks for the reference's corners.

    Args:
        model: the exported model.
        size: network size to build for; builds take seconds to minutes and are kept.
        precision: ``fp32``, ``fp16`` or ``int8``.
        engines: folder of the engines; by default that of ``EngineFolder``.
        reports: receives builds.
        use_cuda_graphs: whether to record CUDA graphs where that is possible.

    Raises:
        BackendError: when there is no usable GPU or library, or the engines cannot be built.
    """

    name = "tensorrt"

    def __init__(
        self,
        model: ModelFiles,
        size: NetworkSize,
        precision: str = "fp16",
        engines: EngineFolder | None = None,
        reports: Reports | None = None,
        use_cuda_graphs: bool = True,
    ) -> None:
        self.size = size
        self.precision = precision
        self.failure = ""
        self._device = first_device()
        self._memory: list[Any] = []  # every allocation on the GPU
        self._gpu: dict[str, int] = {}  # addresses of what is copied, by tensor
        self._host: dict[str, NDArray[Any]] = {}  # the same in memory that the GPU reads and writes
        self._graphs: list[CudaGraph] = []
        self._unrecorded = ""  # why not everything is one
        self._engines: list[LoadedEngine] = []
        self._stream: Any = None
        library, kept = load_library(), engines or EngineFolder()
        loaded = obtain_engines(
            library,
            EngineCache(kept.path, kept.most_bytes),
            model,
            size,
            precision,
            reports or Reports(),
        )
        self.fingerprint = "-".join(engine.manifest.engine_sha256 for engine in loaded)
        try:
            with self._device.current("load the engines"):
                self._stream = cuda.Stream()
                for engine in loaded:
                    self._engines.append(LoadedEngine(library, engine))
                self._allocate()
                self._encode_step = self._recorded(self._encode_once, use_cuda_graphs)
                self._match_step = self._recorded(self._match_once, use_cuda_graphs)
        except BackendError:
            self.close()
            raise
        self.recorded = f"{len(self._graphs)} CUDA graphs{self._unrecorded}"
        self.description = (
            f"{library.title}, {self._device.name}, {precision}, {self.recorded}, {size}"
        )

    def encode(self, image: NDArray[np.uint8]) -> GpuFeatures[int]:
        """See ``Backend.encode``."""
        with self._running("encode an image"):
            features = self._features.take()
            self._stream.synchronize()  # the image before this one may still be on its way
            np.copyto(self._host["grey_image"], image[None, None])
            self._encode_step()
            self._copy_features(self._encoded, features.memory)
        return features

    def match(
        self,
        reference: GpuFeatures[int],
        current: GpuFeatures[int],
        corners: Callable[[], NDArray[np.float32]],
        threshold: float,
        limit: int,
    ) -> CellMatches:
        """See ``Backend.match``."""
        with self._running("match two images"):
            self._copy_features(reference.memory, self._reference)
            self._copy_features(current.memory, self._current)
            np.copyto(self._host["corners"], corners())
            self._match_step()
            self._stream.synchronize()
        return select_cells(self._host["position"], self._host["confidence"], threshold, limit)

    def wait(self) -> None:
        """Wait for the end of what was started, which measuring needs and matching does itself."""
        with self._running("finish its work"):
            self._stream.synchronize()

    def close(self) -> None:
        """See ``Backend.close``."""
        if self._stream is None:
            return
        # Of a GPU that is lost nothing can be given back.
        with contextlib.suppress(DeviceError), self._device.current("give memory back"):
            self._stream.synchronize()
            for graph in self._graphs:
                graph.close()
            for engine in self._engines:
                engine.close()
            for memory in self._memory:
                memory.free()
            for array in self._host.values():
                array.base.free()
            self._stream = None

    def _allocate(self) -> None:
        """Buffers of both engines, and their addresses."""
        encode, match = self._engines
        owners = {"grey_image": encode, "corners": match, "position": match, "confidence": match}
        for name, engine in owners.items():
            self._gpu[name] = self._on_gpu(engine.bytes_of(name))
            self._host[name] = cuda.pagelocked_empty(engine.shapes[name], engine.dtypes[name])
            self._host[name][...] = 0
        # One allocation holds the tokens and the fine features of an image.
        fine_at = -(-encode.bytes_of("tokens") // _ALIGNMENT) * _ALIGNMENT
        self._feature_bytes = fine_at + encode.bytes_of("fine")
        self._features = FeaturePool(lambda: self._on_gpu(self._feature_bytes))
        places = [self._on_gpu(self._feature_bytes) for _ in range(3)]
        self._encoded, self._reference, self._current = places
        addresses = dict(self._gpu)
        for prefix, place in zip(("", "reference_", "current_"), places, strict=True):
            addresses |= {f"{prefix}tokens": place, f"{prefix}fine": place + fine_at}
        for engine in self._engines:
            engine.bind(addresses)

    def _encode_once(self) -> None:
        self._upload("grey_image")
        self._engines[0].enqueue(self._stream.handle)

    def _match_once(self) -> None:
        self._upload("corners")
        self._engines[1].enqueue(self._stream.handle)
        for name in ("position", "confidence"):
            cuda.memcpy_dtoh_async(self._host[name], self._gpu[name], self._stream)

    def _upload(self, name: str) -> None:
        cuda.memcpy_htod_async(self._gpu[name], self._host[name], self._stream)

    def _copy_features(self, source: int, target: int) -> None:
        cuda.memcpy_dtod_async(target, source, self._feature_bytes, stream=self._stream)

    def _recorded(self, work: Callable[[], None], wanted: bool) -> Callable[[], None]:
        """The work as the launch of a CUDA graph; itself where it cannot be recorded."""
        work()  # an engine's first run sets it up
        self._stream.synchronize()
        handle = self._stream.handle
        if not wanted:
            return work
        if not all(engine.recordable(handle) for engine in self._engines):
            self._unrecorded = " (the library says that its engines cannot be recorded)"
            return work
        try:
            graph = CudaGraph(handle, work)
        except (DeviceError, cuda.Error) as error:
            self._unrecorded = f" ({error})"
            return work
        self._graphs.append(graph)
        return graph.launch

    def _on_gpu(self, size: int) -> int:
        """Address of new memory, which is given back by ``close``."""
        self._memory.append(self._device.allocate(size))
        return int(self._memory[-1])

    @contextmanager
    def _running(self, task: str) -> Iterator[None]:
        """Work on the GPU, and note whether it failed."""
        if self._stream is None:  # the arrays that would be written to have been freed
            raise DeviceError(f"the TensorRT backend is closed, it cannot {task}")
        try:
            with self._device.current(task):
                yield
        except DeviceError as error:
            self.failure = str(error)
            raise
        self.failure = ""
