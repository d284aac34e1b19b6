"""What is remembered of the latest images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["History"]

# Images that are kept beside the reference: one of the latest becomes the next reference.
_RECENT = 16

Item = TypeVar("Item")


class History(Generic[Item]):
    """Things by stamp: those of the reference and of the latest images."""

    def __init__(self) -> None:
        self._items: dict[int, Item] = {}

    def __setitem__(self, stamp: int, item: Item) -> None:
        self._items[stamp] = item

    def __contains__(self, stamp: int) -> bool:
        return stamp in self._items

    def get(self, stamp: int) -> Item | None:
        """What is kept of this stamp, if anything."""
        return self._items.get(stamp)

    def forget_before(self, reference_stamp: int) -> None:
        """Drop what is older than the reference, and the oldest beyond a fixed number."""
        stamps = sorted(stamp for stamp in self._items if stamp >= reference_stamp)
        if len(stamps) > _RECENT:
            stamps = [stamps[0], *stamps[-_RECENT:]]
        self._items = {stamp: self._items[stamp] for stamp in stamps}

    def __len__(self) -> int:
        return len(self._items)

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()

    def change(self, change: Callable[[Item], Item]) -> None:
        """Put another thing in the place of each."""
        self._items = {stamp: change(item) for stamp, item in self._items.items()}
