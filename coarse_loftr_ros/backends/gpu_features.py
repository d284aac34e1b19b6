"""Features that stay on a GPU, in memory that is used again.

Run so far: in the memory of hosts (tests), not yet on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["FeaturePool", "GpuFeatures"]

Memory = TypeVar("Memory")


class GpuFeatures(Generic[Memory]):
    """Features of one image; when nobody keeps them, their memory is used again.

    Work on a GPU is done in the order of its start, so what still reads them comes first.

    Attributes:
        memory: where they lie.
    """

    def __init__(self, memory: Memory, free: list[Memory]) -> None:
        self.memory = memory
        self._free = free

    def __del__(self) -> None:
        self._free.append(self.memory)


class FeaturePool(Generic[Memory]):
    """Memory for the features of images, as much as are kept at the same time.

    Args:
        allocate: makes memory for the features of one more image.
    """

    def __init__(self, allocate: Callable[[], Memory]) -> None:
        self._allocate = allocate
        self._free: list[Memory] = []

    def take(self) -> GpuFeatures[Memory]:
        """Features whose values are still to be written.

        Raises:
            DeviceError: or what else ``allocate`` raises.
        """
        return GpuFeatures(self._free.pop() if self._free else self._allocate(), self._free)
