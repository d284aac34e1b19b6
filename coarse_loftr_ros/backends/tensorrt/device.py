"""The first NVIDIA GPU through PyCUDA: its context, its memory, and one kind of error.

Run so far: PyCUDA on drivers made for the tests, not yet on a GPU.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import pycuda.driver as cuda

from coarse_loftr_ros.backends.base import DeviceError

__all__ = ["Device", "first_device"]


@functools.cache
def first_device() -> Device:
    """The GPU that CUDA calls device 0; its context is retained once in a process.

    Raises:
        DeviceError: when there is none that CUDA can use.
    """
    device = Device()
    # Left to its destructor, PyCUDA would give a primary context back as if it were another.
    atexit.register(device.release)
    return device


class Device:
    """A GPU and its primary context, which TensorRT uses too.

    A context is current in a thread or it is not, and memory is freed only where its context is:
    so it is made current for the time of each call, and threads may take turns.

    Raises:
        DeviceError: when CUDA cannot use the GPU.
    """

    def __init__(self) -> None:
        try:
            cuda.init()
            device = cuda.Device(0)
            self.name: str = device.name()
            self._context = device.retain_primary_context()
        except cuda.Error as error:
            raise DeviceError(f"CUDA cannot use the GPU: {error}") from error
        self._lost = False

    @contextlib.contextmanager
    def current(self, task: str) -> Iterator[None]:
        """Make the context current.

        Args:
            task: what is being done, for the sentence of an error.

        Raises:
            DeviceError: for whatever CUDA reports, and ever after the GPU was lost.
        """
        if self._lost:
            raise DeviceError(f"the GPU failed to {task}: it was lost before")
        try:
            self._context.push()
            try:
                yield
            finally:
                self._pop()
        except cuda.MemoryError as error:
            raise DeviceError(f"the GPU has no memory left to {task}: {error}") from error
        except cuda.Error as error:
            raise DeviceError(f"the GPU failed to {task}: {error}") from error

    def allocate(self, size: int) -> Any:
        """Memory of ``size`` bytes on the GPU; call it where the context is current."""
        return cuda.mem_alloc(size)

    def memory_used(self) -> int:
        """Bytes of the GPU's memory that are in use by anybody."""
        with self.current("ask for its free memory"):
            free, total = cuda.mem_get_info()
        return total - free

    def release(self) -> None:
        """Give the context back; the device is not used afterwards."""
        with contextlib.suppress(cuda.Error):  # of a context that is gone already
            self._context.detach()

    def _pop(self) -> None:
        try:
            cuda.Context.pop()
        except cuda.Error:
            # Of a GPU that is lost. PyCUDA would end the process when a thread ends whose context
            # it still takes for current; a detached one it forgets, unless it is pushed again.
            self._lost = True
            self.release()
            first_device.cache_clear()
