"""A loaded engine: tensors at fixed addresses, run on a stream.

Run so far: what TensorRT for RTX refuses to load: bytes that are no engine (tests), any on an H200.
No engine has run yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from coarse_loftr_ros.backends.base import BackendError, DeviceError
from coarse_loftr_ros.backends.tensorrt.cache import CheckedEngine
from coarse_loftr_ros.backends.tensorrt.library import Library

__all__ = ["LoadedEngine"]


class LoadedEngine:
    """An engine and its execution context.

    The GPU's context is current whenever a method is called.

    Args:
        library: TensorRT.
        engine: to load.

    Raises:
        BackendError: when the library refuses it.
    """

    def __init__(self, library: Library, engine: CheckedEngine) -> None:
        self._library = library
        self._lease = engine.lease  # keeps its file from being removed
        self._runtime = library.create("Runtime")  # has to outlive its engines
        self._engine = self._runtime.deserialize_cuda_engine(engine.data)
        self._execution = None
        if self._engine is not None:
            self._execution = self._engine.create_execution_context()
        if self._execution is None:
            raise BackendError(
                f"{library.title} cannot load the engine: {library.log.take_errors()}"
            )
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        # Asked of the engine, which was checked by its hash, not of its manifest.
        self.shapes = {name: tuple(self._engine.get_tensor_shape(name)) for name in names}
        nptype, dtype_of = library.module.nptype, self._engine.get_tensor_dtype
        self.dtypes = {name: np.dtype(nptype(dtype_of(name))) for name in names}

    def bytes_of(self, name: str) -> int:
        """Size of a tensor."""
        return prod(self.shapes[name]) * self.dtypes[name].itemsize

    def bind(self, addresses: Mapping[str, int]) -> None:
        """Fix where the tensors lie on the GPU; all of them, once.

        Raises:
            DeviceError: when the library refuses an address.
        """
        for name in self.shapes:
            if not self._execution.set_tensor_address(name, addresses[name]):
                raise DeviceError(f"{self._library.title}: {self._library.log.take_errors()}")

    def enqueue(self, stream: int) -> None:
        """Start the engine on a stream, given by its handle.

        Raises:
            DeviceError: when the library cannot.
        """
        if not self._execution.execute_async_v3(stream):
            reason = self._library.log.take_errors()
            raise DeviceError(f"{self._library.title} failed to run: {reason}")

    def recordable(self, stream: int) -> bool:
        """Whether a CUDA graph can hold the engine; only TensorRT for RTX knows beforehand."""
        ask = getattr(self._execution, "is_stream_capturable", None)
        return ask is None or ask(stream)

    def close(self) -> None:
        """Give memory and kernels back, in the order in which they depend on each other."""
        self._execution = None
        self._engine = None
        self._runtime = None
        self._lease = None
