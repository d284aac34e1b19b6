"""Tensors of ONNX Runtime on a device, and how they get there.

Run so far: on CPUs (tests), not yet on a GPU.
"""

from __future__ import annotations

import ctypes
import mmap
import weakref
from math import prod
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import DTypeLike

__all__ = ["DeviceTensors", "UploadedArray", "can_copy_on_device", "on_device"]


def can_copy_on_device() -> bool:
    """Whether this ONNX Runtime copies a tensor to another one of the same device (since 1.31)."""
    return tuple(int(part) for part in onnxruntime.__version__.split(".")[:2]) >= (1, 31)


def on_device(shape: tuple[int, ...], dtype: DTypeLike, device: str) -> Any:
    """A tensor of any values on a device, ``cuda`` or ``cpu``."""
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), dtype, device)


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
        host: the array to write.
        device: the tensor that a graph reads.
        pinned: whether the GPU reads the array by itself, without a copy of the driver's.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike, device: str) -> None:
        self.device = on_device(shape, dtype, device)
        # Whole pages, as CUDA locks no less.
        memory = mmap.mmap(-1, prod(shape) * np.dtype(dtype).itemsize)
        self.host = np.frombuffer(memory, dtype).reshape(shape)
        self.pinned = device == "cuda" and self._pin()

    def upload(self) -> None:
        """Copy what is in ``host`` to the device."""
        self.device.update_inplace(self.host)

    def _pin(self) -> bool:
        """Lock the array's pages for as long as this lives, where CUDA can.

        By ctypes: what ONNX Runtime's wheels say of their devices leaves memory of the host out.
        """
        address = ctypes.c_void_p(self.host.ctypes.data)
        major = getattr(onnxruntime, "cuda_version", "").partition(".")[0]
        try:
            cuda = ctypes.CDLL(f"libcudart.so.{major}")  # that ONNX Runtime has loaded
        except OSError:
            return False
        if cuda.cudaHostRegister(address, ctypes.c_size_t(self.host.nbytes), 0):
            cuda.cudaGetLastError()  # or the next kernel would be taken for what has failed
            return False
        weakref.finalize(self, cuda.cudaHostUnregister, address).atexit = False
        return True
