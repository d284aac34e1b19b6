"""Tensors of ONNX Runtime on a device, and how they get there.

Run so far: on CPUs (tests), not yet on a GPU.
"""

from __future__ import annotations

import ctypes
from math import prod
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import DTypeLike

__all__ = ["DeviceTensors", "UploadedArray", "can_copy_on_device", "on_device", "pinned_memory"]


def can_copy_on_device() -> bool:
    """Whether this ONNX Runtime copies a tensor to another one of the same device (since 1.31)."""
    return tuple(int(part) for part in onnxruntime.__version__.split(".")[:2]) >= (1, 31)


def on_device(shape: tuple[int, ...], dtype: DTypeLike, device: str) -> Any:
    """A tensor of any values on a device, ``cuda`` or ``cpu``."""
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), dtype, device)


def pinned_memory(provider: str) -> Any | None:
    """Memory of the host that a provider's device reads by itself, where it offers some."""
    if not can_copy_on_device():
        return None
    for device in onnxruntime.get_ep_devices():
        if device.ep_name == provider:
            return device.memory_info(onnxruntime.OrtDeviceMemoryType.HOST_ACCESSIBLE)
    return None


class DeviceTensors:
    """Tokens and fine features of one image on the device.

    Args:
        values: by name.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def bind_outputs(self, binding: Any, prefix: str) -> None:
        """Let a graph write them."""
        for name, value in self.values.items():
            binding.bind_ortvalue_output(prefix + name, value)

    def bind_inputs(self, binding: Any, prefix: str) -> None:
        """Let a graph read them."""
        for name, value in self.values.items():
            binding.bind_ortvalue_input(prefix + name, value)

    def copy_from(self, other: DeviceTensors) -> None:
        """Take the values of another image, within the device."""
        for name, value in self.values.items():
            value.update_inplace(other.values[name])


class UploadedArray:
    """A tensor that is written on the host and read on the device.

    Attributes:
        host: the array to write, in pinned memory where the provider has some.
        device: the tensor that a graph reads.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: DTypeLike, device: str, pinned: Any | None
    ) -> None:
        self.device = on_device(shape, dtype, device)
        self._source: Any
        if pinned is None:
            self._source = self.host = np.zeros(shape, dtype)
        else:
            self._source = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                shape, dtype, memory_info=pinned
            )
            size = prod(shape) * np.dtype(dtype).itemsize
            memory = (ctypes.c_uint8 * size).from_address(self._source.data_ptr())
            self.host = np.ndarray(shape, dtype, memory)
            self.host[...] = 0

    def upload(self) -> None:
        """Copy what is in ``host`` to the device."""
        self.device.update_inplace(self._source)
