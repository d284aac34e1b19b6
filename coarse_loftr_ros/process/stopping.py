"""How a program ends when SIGINT or SIGTERM asks it to, from its first line to its last.

A program installs this before it imports anything slow, so nothing slow is imported here.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable

__all__ = ["GRACE_S", "StopSignals", "interrupt"]

GRACE_S = 3.0
"""Time that a program has to end in good order; ROS launch sends a harder signal after 5 s."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def interrupt(number: int) -> None:
    """Leave what is being done, which cleans up on the way out.

    Not by ``KeyboardInterrupt``: Python remembers one that has passed through code compiled from
    text, as that of dataclasses is, and in the end dies of SIGINT whatever has become of it.
    """
    raise SystemExit(128 + number)


class StopSignals:
    """The signals that ask this process to end; of its main thread, for the time that is left.

    The first signal calls ``react``, later ones change nothing: launch passes one on and the
    terminal sends another, and neither may disturb what is being closed. ``GRACE_S`` after the
    first one the process ends wherever it is, even in native code that does not return to Python:
    a thread is woken by the signal itself, not by its handler.

    Args:
        status: exit status of a process that a signal has ended, given the signal.
        react: called in the main thread with the first signal; may raise.

    Attributes:
        react: see above; may be replaced. ``None`` only notes the signal.
    """

    def __init__(self, status: Callable[[int], int], react: Callable[[int], None] | None) -> None:
        self.react = react
        self._status = status
        self._number = 0

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._number != 0

    def run(self, program: Callable[[], int]) -> int:
        """Run the program; its exit status, or that of a process which a signal has ended.

        Whatever a program raises after a signal is a consequence of it, and is not shown.
        """
        code = 1
        try:
            try:
                self._install()
                code = program()
            finally:
                self.react = None  # nothing is left that could be interrupted
        except BaseException:
            if not self.asked:
                raise
        return self._status(self._number) if self.asked else code

    def _install(self) -> None:
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        threading.Thread(target=self._watch, args=(woken,), name="signals", daemon=True).start()
        # The last thing that Python does before it takes its handlers away and would die of a
        # signal: what is registered first is called last.
        atexit.register(_set_handlers, signal.SIG_IGN)
        os.register_at_fork(after_in_child=_forget)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        _set_handlers(self._handle)

    def _handle(self, number: int, frame: object) -> None:
        if self.asked:
            return
        self._number = number
        # Where Python cannot raise (a callback, a destructor) it would print a traceback.
        sys.unraisablehook = threading.excepthook = _say_nothing
        if self.react is not None:
            self.react(number)

    def _watch(self, woken: int) -> None:
        number = os.read(woken, 1)[0]
        threading.Event().wait(GRACE_S)
        os._exit(self._status(number))


def _set_handlers(handler: Callable[[int, object], None] | signal.Handlers) -> None:
    for number in _SIGNALS:
        signal.signal(number, handler)


def _forget() -> None:
    """A forked child is another program: its signals are not its parent's."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _say_nothing(_: object) -> None:
    """What falls over while a process is being ended is no news."""
