"""When a run ends: at its last step, at the end of its time, or when a signal asks it to."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

from coarse_loftr_lab.training.settings import TrainingSettings

__all__ = ["StopRequest", "TimePlan"]

_ENDING_S = 15.0  # of saving and exporting
_SAME_REQUEST_S = 2.0  # a terminal and a launcher may both pass one on


class StopRequest:
    """Notes SIGINT and SIGTERM, so that the step at hand is finished and saved.

    A further signal after two seconds ends the process where it is. In other threads than the main
    one nothing is noted.

    Attributes:
        number: of the signal that has come; 0 while none has.
    """

    def __init__(self) -> None:
        self.number = 0
        self._since = 0.0
        self._before: dict[int, Any] = {}
        self._wakeup = -1

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
            # Whoever is woken by signals would end the process before a long step is over.
            self._wakeup = signal.set_wakeup_fd(-1)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._before:
            signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.number:
            self.number, self._since = number, time.monotonic()
        elif time.monotonic() - self._since > _SAME_REQUEST_S:
            raise SystemExit(128 + number)


class TimePlan:
    """How much of a run is done, by its steps or by its time, whichever is farther.

    The time that validating takes is kept free at the end, with some for saving and exporting.

    Args:
        settings: of the run, which begins now.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self._steps = settings.steps
        self._budget = 60.0 * settings.max_minutes
        self._begun = time.monotonic()
        self._validation = 0.0

    def validated(self, seconds: float) -> None:
        """Take in how long a validation took."""
        self._validation = max(self._validation, seconds)

    def progress(self, step: int) -> float:
        """Share of the run that is done before ``step``; 1 at its end."""
        done = step / self._steps
        if self._budget:
            kept = min(0.2 * self._budget, _ENDING_S + 1.3 * self._validation)
            done = max(done, (time.monotonic() - self._begun) / (self._budget - kept))
        return min(done, 1.0)
