"""CUDA graphs, which PyCUDA does not have: work recorded on a stream, started by one call.

The driver is called through NVIDIA's cuda-bindings (https://nvidia.github.io/cuda-python), whose
functions have the names and arguments of ``cuda.h``.

Run so far: cuda-bindings 12.8 to 13.5 on drivers made for the tests, not yet on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coarse_loftr_ros.backends.base import DeviceError

__all__ = ["CudaGraph"]


class CudaGraph:
    """Recorded work that runs again and again on the stream on which it was recorded.

    Addresses are recorded, not what lies there. The context in which the stream was made is
    current whenever a method is called.

    Args:
        stream: handle of a stream that is not the default one.
        record: enqueues the work; nothing in it waits or allocates. It has run once before.

    Raises:
        DeviceError: when the work cannot be recorded, in which case the stream is as before, or
            cuda-bindings is not installed.
    """

    def __init__(self, stream: int, record: Callable[[], None]) -> None:
        try:
            from cuda.bindings import driver
        except ImportError as error:
            raise DeviceError(
                f"CUDA graphs are recorded with the package cuda-bindings ({error}); pip install "
                "cuda-bindings"
            ) from error
        self._driver, self._stream = driver, driver.CUstream(stream)
        others_go_on = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        _call(driver.cuStreamBeginCapture, self._stream, others_go_on)
        try:
            record()
        except BaseException:
            _, graph = driver.cuStreamEndCapture(self._stream)  # or it would go on recording
            driver.cuGraphDestroy(graph)
            raise
        graph = _call(driver.cuStreamEndCapture, self._stream)
        try:
            self._executable = _call(driver.cuGraphInstantiate, graph, 0)
        finally:
            driver.cuGraphDestroy(graph)

    def launch(self) -> None:
        """Enqueue the work.

        Raises:
            DeviceError: when the driver refuses.
        """
        _call(self._driver.cuGraphLaunch, self._executable, self._stream)

    def close(self) -> None:
        """Give the graph back; it is not launched afterwards."""
        self._driver.cuGraphExecDestroy(self._executable)


def _call(function: Callable[..., tuple[Any, ...]], *arguments: Any) -> Any:
    """What a function of the driver returns beside its status, ``None`` for most.

    Raises:
        DeviceError: naming the function and what the driver says.
    """
    try:
        status, *results = function(*arguments)
    # A driver without the function, or a status of a driver that is newer than the package.
    except (RuntimeError, ValueError, KeyError) as error:
        raise DeviceError(f"{function.__name__} failed: {error}") from error
    if status:
        raise DeviceError(f"{function.__name__} failed: {status.name}")
    return results[0] if results else None
