"""The first NVIDIA GPU of this machine, asked of the driver itself.

By ctypes and not through PyCUDA or cuda-bindings: ``auto``, ``backend: cuda`` and the building of
engines ask on machines where neither is installed.

Run so far: on an H200, and on drivers made for the tests.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

__all__ = ["Gpu", "find_gpu"]

# Of cuda.h: CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR.
_CAPABILITY = (75, 76)


@dataclass(frozen=True)
class Gpu:
    """What engines are tied to.

    Attributes:
        name: as the driver says it.
        compute_capability: such as ``8.7``.
    """

    name: str
    compute_capability: str


def find_gpu() -> Gpu | None:
    """The GPU that CUDA calls device 0, ``None`` without a GPU or a driver for it."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    device, value, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(256)
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
        return None
    if driver.cuDeviceGetName(name, len(name), device):
        return None
    numbers = []
    for attribute in _CAPABILITY:
        if driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device):
            return None
        numbers.append(value.value)
    return Gpu(name.value.decode(), "{}.{}".format(*numbers))
