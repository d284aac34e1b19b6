"""CUDA graphs, which PyCUDA does not have: work recorded on a stream, started by one call.

The functions of the driver are called directly; their signatures are those of ``cuda.h`` since
CUDA 11.4.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import byref, c_char_p, c_int, c_uint64, c_void_p

from coarse_loftr_ros.backends.base import DeviceError

__all__ = ["CudaGraph"]

_CAPTURE_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads go on as ever


class CudaGraph:
    """Recorded work that runs again and again on the stream on which it was recorded.

    Addresses are recorded, not what lies there. The context in which the stream was made is
    current whenever a method is called.

    Args:
        stream: handle of a stream that is not the default one.
        record: enqueues the work; nothing in it waits or allocates. It has run once before.

    Raises:
        DeviceError: when the work cannot be recorded; the stream is as before.
    """

    def __init__(self, stream: int, record: Callable[[], None]) -> None:
        self._driver = _driver()
        self._stream = c_void_p(stream)
        graph, self._executable = c_void_p(), c_void_p()
        self._call("cuStreamBeginCapture_v2", self._stream, _CAPTURE_THREAD_LOCAL)
        try:
            record()
        finally:
            # Even of work that failed, or the stream would go on recording.
            ended = self._driver.cuStreamEndCapture(self._stream, byref(graph))
        if ended or not graph:
            raise DeviceError(f"cuStreamEndCapture failed: {self._name(ended)}")
        try:
            self._call("cuGraphInstantiateWithFlags", byref(self._executable), graph, 0)
        finally:
            self._driver.cuGraphDestroy(graph)

    def launch(self) -> None:
        """Enqueue the work.

        Raises:
            DeviceError: when the driver refuses.
        """
        self._call("cuGraphLaunch", self._executable, self._stream)

    def close(self) -> None:
        """Give the graph back; it is not launched afterwards."""
        self._driver.cuGraphExecDestroy(self._executable)

    def _call(self, function: str, *arguments: object) -> None:
        status = getattr(self._driver, function)(*arguments)
        if status:
            raise DeviceError(f"{function} failed: {self._name(status)}")

    def _name(self, status: int) -> str:
        name = c_char_p()
        self._driver.cuGetErrorName(status, byref(name))
        return name.value.decode() if name.value else f"error {status}"


def _driver() -> ctypes.CDLL:
    """The driver's library, with the types of what is called in it."""
    driver = ctypes.CDLL("libcuda.so.1")
    for name, types in {
        "cuStreamBeginCapture_v2": (c_void_p, c_int),
        "cuStreamEndCapture": (c_void_p, c_void_p),
        "cuGraphInstantiateWithFlags": (c_void_p, c_void_p, c_uint64),
        "cuGraphLaunch": (c_void_p, c_void_p),
        "cuGraphExecDestroy": (c_void_p,),
        "cuGraphDestroy": (c_void_p,),
        "cuGetErrorName": (c_int, c_void_p),
    }.items():
        getattr(driver, name).argtypes = types
    return driver
