"""One thread that handles items in order, so that slow work never blocks the executor."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Worker"]

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """Hands items to a function on its own thread.

    At most ``capacity`` items wait; when one more comes, the oldest is let go. With a capacity
    of 1 the newest item always wins. Commands go before waiting items.

    Args:
        handle: called with each item on the worker's thread. Whatever it raises is a defect: it
            ends the worker and is printed with its traceback.
        capacity: items that may wait.
        on_skip: called on the submitting thread for each item let go.
        on_failure: called on the worker's thread with what ``handle`` raised.
    """

    def __init__(
        self,
        handle: Callable[[Item], None],
        capacity: int,
        on_skip: Callable[[Item], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; it must be at least 1")
        self._handle = handle
        self._capacity = capacity
        self._on_skip = on_skip
        self._on_failure = on_failure
        self._items: deque[Item] = deque()
        self._commands: deque[Callable[[], None]] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="matching", daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> None:
        """Let an item wait for its turn. Without effect after ``stop``."""
        skipped: list[Item] = []
        with self._wake:
            if self._stopping:
                return
            self._items.append(item)
            while len(self._items) > self._capacity:
                skipped.append(self._items.popleft())
            self._wake.notify()
        for old in skipped:
            self._on_skip(old)

    def command(self, call: Callable[[], None]) -> None:
        """Run something on the worker's thread before any waiting item."""
        with self._wake:
            self._commands.append(call)
            self._wake.notify()

    def stop(self) -> None:
        """Let go of waiting items and wait until the current one is done."""
        with self._wake:
            self._stopping = True
            self._items.clear()
            self._commands.clear()
            self._wake.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _next(self) -> Callable[[], None] | None:
        with self._wake:
            self._wake.wait_for(lambda: self._stopping or self._commands or self._items)
            if self._stopping:
                return None
            if self._commands:
                return self._commands.popleft()
            item = self._items.popleft()
            return lambda: self._handle(item)

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except BaseException as failure:
                with self._wake:
                    self._stopping = True
                self._on_failure(failure)
                raise
