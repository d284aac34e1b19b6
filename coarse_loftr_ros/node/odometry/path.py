"""The way travelled, as few poses as show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["DecimatedPath"]

Item = TypeVar("Item")


class DecimatedPath(Generic[Item]):
    """Poses at least a distance apart; when there are too many, every second one goes.

    Args:
        min_distance: between two poses, metres.
        max_poses: most poses, at least 2.
    """

    def __init__(self, min_distance: float, max_poses: int) -> None:
        self.min_distance = min_distance
        self.max_poses = max_poses
        self._positions: list[NDArray[np.float64]] = []
        self._items: list[Item] = []
        self._thinned = 1.0

    @property
    def items(self) -> Sequence[Item]:
        """The poses that are kept, in order."""
        return self._items

    def clear(self) -> None:
        """Begin anew."""
        self._positions.clear()
        self._items.clear()
        self._thinned = 1.0

    def add(self, position: NDArray[np.float64], item: Item) -> bool:
        """Take a pose that is far enough from the one before; whether it was."""
        if self._positions:
            distance = float(np.linalg.norm(position - self._positions[-1]))
            if distance < self.min_distance * self._thinned or distance == 0.0:
                return False
        self._positions.append(position)
        self._items.append(item)
        if len(self._items) > self.max_poses:
            self._positions = self._positions[::2]
            self._items = self._items[::2]
            self._thinned *= 2.0
        return True
