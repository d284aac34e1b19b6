"""One thread that handles images in order, so that slow work never blocks the executor."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from coarse_loftr_ros.node.matcher.inputs import Images

__all__ = ["Worker"]


@dataclass(eq=False)
class _Command:
    """A call between two images, and who waits for its answer."""

    call: Callable[[], str]
    follows: bool
    answer: Future[str] = field(default_factory=Future)

    def run(self) -> None:
        if not self.answer.set_running_or_notify_cancel():
            return
        try:
            answer = self.call()
        except Exception as error:  # noqa: BLE001 - it is the answer, whatever it is
            # Its traceback would keep this command, and with it all that it worked with.
            self.answer.set_exception(error.with_traceback(None))
        except BaseException:
            self.answer.cancel()
            raise
        else:
            self.answer.set_result(answer)


class Worker:
    """Hands images, or pairs of them, to a function on its own thread.

    At most ``capacity`` wait; when one more comes, the oldest is let go. With a capacity of 1 the
    newest always wins. Commands keep their place among the images.

    An exception costs the image that raised it, and the worker goes on. What is no ``Exception``
    (``SystemExit``) ends it, and is printed with its traceback.

    Args:
        handle: called with each image on the worker's thread.
        capacity: images that may wait.
        on_skip: called on the submitting thread for each image let go.
        on_error: called on the worker's thread where ``handle`` raised an exception, while it is
            being handled.
        on_failure: called on the worker's thread with what ended the worker.
    """

    def __init__(
        self,
        handle: Callable[[Images], None],
        capacity: int,
        on_skip: Callable[[Images], None],
        on_error: Callable[[], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; it must be at least 1")
        self._handle = handle
        self._capacity = capacity
        self._on_skip = on_skip
        self._on_error = on_error
        self._on_failure = on_failure
        self._waiting: deque[Images | _Command] = deque()
        self._image_count = 0  # of those that wait
        self._begin: float | None = None  # of the work that goes on
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="matching", daemon=True)
        self._thread.start()

    @property
    def busy_s(self) -> float:
        """For how long the current image or command has been in work, seconds; 0 without one."""
        begin = self._begin
        return 0.0 if begin is None else time.monotonic() - begin

    def submit(self, images: Images) -> None:
        """Let an image or a pair wait for its turn. Without effect after ``stop``."""
        skipped: list[Images] = []
        with self._wake:
            if self._stopping:
                return
            self._waiting.append(images)
            self._image_count += 1
            while self._image_count > self._capacity:
                skipped.append(self._let_go())
            self._wake.notify()
        for old in skipped:
            self._on_skip(old)

    def command(self, call: Callable[[], str], follows: bool) -> Future[str]:
        """Run something on the worker's thread after the images submitted so far.

        Args:
            call: to run.
            follows: it is about the image before it: should that be let go, it comes after the
                next one. Otherwise it comes before whatever is submitted from now on.

        Returns:
            What the call returns or raises; cancelled when the worker stops before it begins.
        """
        command = _Command(call, follows)
        with self._wake:
            if not self._stopping:
                self._waiting.append(command)
                self._wake.notify()
                return command.answer
        command.answer.cancel()
        return command.answer

    def stop(self) -> None:
        """Let go of waiting images and commands and wait until the current one is done."""
        self._let_all_go()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _let_go(self) -> Images:
        """Take the oldest image out; what follows it comes after the next one, which is there."""
        at = self._next_image(0)
        old = self._waiting[at]
        del self._waiting[at]
        self._image_count -= 1
        behind = self._next_image(at)
        moved = [each for each in list(self._waiting)[at:behind] if each.follows]
        for command in moved:
            self._waiting.remove(command)
        for place, command in enumerate(moved, self._next_image(at) + 1):
            self._waiting.insert(place, command)
        return old

    def _next_image(self, begin: int) -> int:
        while isinstance(self._waiting[begin], _Command):
            begin += 1
        return begin

    def _let_all_go(self) -> None:
        with self._wake:
            self._stopping = True
            commands = [each for each in self._waiting if isinstance(each, _Command)]
            self._waiting.clear()
            self._wake.notify()
        for command in commands:
            command.answer.cancel()

    def _next(self) -> Callable[[], None] | None:
        with self._wake:
            self._wake.wait_for(lambda: self._stopping or self._waiting)
            if self._stopping:
                return None
            first = self._waiting.popleft()
            if isinstance(first, _Command):
                return first.run
            self._image_count -= 1
            return lambda: self._handle(first)

    def _run(self) -> None:
        while (work := self._next()) is not None:
            self._begin = time.monotonic()
            try:
                try:
                    work()
                except Exception:  # noqa: BLE001 - the next image gets its chance
                    self._on_error()
            except BaseException as failure:
                self._let_all_go()
                self._on_failure(failure)
                raise
            self._begin = None
