"""What the node counts and times, from two threads."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from coarse_loftr_ros.result import Status

__all__ = ["Judged", "Snapshot", "Statistics"]

_RATE_WINDOW_S = 5.0
_LATENCY_SAMPLES = 300


class Judged(Protocol):
    """A result that says how good it is."""

    @property
    def status(self) -> Status:
        """Its quality."""
        ...


Result = TypeVar("Result", bound=Judged)


@dataclass(frozen=True)
class Snapshot(Generic[Result]):
    """The numbers at one moment.

    Attributes:
        counts: events since the node became active (``received``, ``published``, ``skipped``, the
            names of statuses, ...).
        rejected: unusable messages by cause.
        resets: times that the node started over, by cause.
        input_hz: inputs received per second, over the last seconds.
        output_hz: results published per second, over the last seconds.
        latency_ms: median and 95th percentile per stage over the last frames.
        silence_s: seconds since the last input, or since activation when none came.
        latest: the latest result.
    """

    counts: Mapping[str, int]
    rejected: Mapping[str, int]
    resets: Mapping[str, int]
    input_hz: float
    output_hz: float
    latency_ms: Mapping[str, tuple[float, float]]
    silence_s: float
    latest: Result | None


@dataclass
class _Window:
    """Event times of the last seconds."""

    times: deque[float] = field(default_factory=deque)

    def add(self, now: float) -> None:
        self.times.append(now)
        self._forget(now)

    def rate(self, now: float) -> float:
        self._forget(now)
        return len(self.times) / min(_RATE_WINDOW_S, max(now - self.start, 0.1))

    def _forget(self, now: float) -> None:
        while self.times and self.times[0] < now - _RATE_WINDOW_S:
            self.times.popleft()

    start: float = field(default_factory=time.monotonic)


class Statistics(Generic[Result]):
    """Counts of one active period; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._resets: Counter[str] = Counter()
        self._input = _Window()
        self._output = _Window()
        self._latency: dict[str, deque[float]] = {}
        self._last_input = time.monotonic()
        self._latest: Result | None = None

    def received(self) -> None:
        """An input came."""
        now = time.monotonic()
        with self._lock:
            self._counts["received"] += 1
            self._last_input = now
            self._input.add(now)

    def count(self, event: str, number: int = 1) -> None:
        """Something else happened."""
        with self._lock:
            self._counts[event] += number

    def rejected(self, cause: str) -> None:
        """A message was dropped because it cannot be used."""
        with self._lock:
            self._rejected[cause] += 1

    def reset(self, cause: str) -> None:
        """The node started over."""
        with self._lock:
            self._resets[cause] += 1

    def published(self, result: Result, stages_ms: Mapping[str, float]) -> None:
        """A result was published after the given milliseconds per stage."""
        now = time.monotonic()
        with self._lock:
            self._counts["published"] += 1
            self._counts[result.status.name] += 1
            self._output.add(now)
            self._latest = result
            for stage, ms in stages_ms.items():
                self._latency.setdefault(stage, deque(maxlen=_LATENCY_SAMPLES)).append(ms)

    def snapshot(self) -> Snapshot[Result]:
        """The numbers now."""
        now = time.monotonic()
        with self._lock:
            latency = {stage: list(values) for stage, values in self._latency.items()}
            counts, rejected = Counter(self._counts), Counter(self._rejected)
            resets, latest = Counter(self._resets), self._latest
            input_hz, output_hz = self._input.rate(now), self._output.rate(now)
            silence = now - self._last_input
        percentiles = {
            stage: tuple(np.percentile(values, (50, 95)).tolist())
            for stage, values in latency.items()
        }
        return Snapshot(counts, rejected, resets, input_hz, output_hz, percentiles, silence, latest)
