"""What a node counts and times, from two threads."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

import numpy as np

from coarse_loftr_ros.matching.result import Status

__all__ = ["HasStatus", "InputStatistics", "Result", "Snapshot", "Statistics", "grown"]

_RATE_WINDOW_S = 5.0
_LATENCY_SAMPLES = 300


class HasStatus(Protocol):
    """A result with a status."""

    @property
    def status(self) -> Status:
        """Its quality."""
        ...


Result = TypeVar("Result", bound=HasStatus)


@dataclass(frozen=True)
class InputStatistics:
    """What came from one input.

    Attributes:
        received: messages since the node became active.
        rate_hz: messages per second, over the last seconds.
        silence_s: seconds since the last one, or since activation when none came.
    """

    received: int
    rate_hz: float
    silence_s: float


@dataclass(frozen=True)
class Snapshot(Generic[Result]):
    """The numbers at one time.

    Attributes:
        inputs: what came, by the name of the input.
        counts: events since the node became active (``published``, ``skipped``, the names of
            statuses, ...).
        rejected: unusable messages by cause.
        resets: times that the node started over, by cause.
        errors: defects that were survived, by what was being done.
        output_hz: results published per second, over the last seconds.
        latency_ms: median and 95th percentile per stage over the last frames.
        active_s: seconds since the node became active.
        since_result_s: seconds since the last result, or since activation when none was published.
        waiting_s: seconds since the first message that came after that; 0 when none did.
        events_since_result: what happened since then instead of a result, in words, with how often.
        latest: the latest result.
    """

    inputs: Mapping[str, InputStatistics]
    counts: Mapping[str, int]
    rejected: Mapping[str, int]
    resets: Mapping[str, int]
    errors: Mapping[str, int]
    output_hz: float
    latency_ms: Mapping[str, tuple[float, float]]
    active_s: float
    since_result_s: float
    waiting_s: float
    events_since_result: Mapping[str, int]
    latest: Result | None

    @property
    def received(self) -> int:
        """Messages of all inputs."""
        return sum(each.received for each in self.inputs.values())

    def silent_inputs(self, timeout_s: float) -> list[str]:
        """Names of the inputs from which nothing came for longer than this."""
        return [name for name, each in self.inputs.items() if each.silence_s > timeout_s]


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


class _Input:
    """Messages of one input."""

    def __init__(self, now: float) -> None:
        self.received = 0
        self.last = now
        self.window = _Window()

    def statistics(self, now: float) -> InputStatistics:
        return InputStatistics(self.received, self.window.rate(now), now - self.last)


class Statistics(Generic[Result]):
    """Counts of one active period; safe to use from any thread.

    Times are of a steady clock: what a stamp or simulated time does is nothing to them.

    Args:
        inputs: names of the inputs; the only one of a node may be nameless.
    """

    def __init__(self, inputs: Sequence[str] = ("",)) -> None:
        now = time.monotonic()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._resets: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._events_since_result: Counter[str] = Counter()
        self._inputs = {name: _Input(now) for name in inputs}
        self._output = _Window()
        self._latency: dict[str, deque[float]] = {}
        self._start = self._last_output = now
        self._first_waiting: float | None = None  # when it came
        self._latest: Result | None = None

    def received(self, name: str = "") -> None:
        """A message of an input came."""
        now = time.monotonic()
        with self._lock:
            source = self._inputs[name]
            source.received += 1
            source.last = now
            source.window.add(now)
            if self._first_waiting is None:
                self._first_waiting = now

    def count(self, event: str, number: int = 1) -> None:
        """Something happened that is no result, nor the reason why there is none."""
        with self._lock:
            self._counts[event] += number

    def lost(self, event: str, number: int = 1) -> None:
        """Inputs came to nothing."""
        with self._lock:
            self._counts[event] += number
            if number:
                self._events_since_result[event] += number

    def rejected(self, cause: str) -> None:
        """A message was dropped because it cannot be used."""
        with self._lock:
            self._rejected[cause] += 1
            self._events_since_result[f"rejected ({cause})"] += 1

    def reset(self, cause: str) -> None:
        """The node started over."""
        with self._lock:
            self._resets[cause] += 1
            self._events_since_result[f"starts over ({cause})"] += 1

    def error(self, doing: str) -> None:
        """A defect was survived."""
        with self._lock:
            self._errors[doing] += 1
            self._events_since_result[f"errors while {doing}"] += 1

    def published(self, result: Result, stages_ms: Mapping[str, float]) -> None:
        """A result was published after the given milliseconds per stage."""
        now = time.monotonic()
        with self._lock:
            self._counts["published"] += 1
            self._counts[result.status.name] += 1
            self._output.add(now)
            self._last_output = now
            self._first_waiting = None
            self._events_since_result.clear()
            self._latest = result
            for stage, ms in stages_ms.items():
                self._latency.setdefault(stage, deque(maxlen=_LATENCY_SAMPLES)).append(ms)

    def snapshot(self) -> Snapshot[Result]:
        """The numbers now."""
        now = time.monotonic()
        with self._lock:
            latency = {stage: list(values) for stage, values in self._latency.items()}
            numbers = Snapshot(
                inputs={name: each.statistics(now) for name, each in self._inputs.items()},
                counts=Counter(self._counts),
                rejected=Counter(self._rejected),
                resets=Counter(self._resets),
                errors=Counter(self._errors),
                output_hz=self._output.rate(now),
                latency_ms={},
                active_s=now - self._start,
                since_result_s=now - self._last_output,
                waiting_s=0.0 if self._first_waiting is None else now - self._first_waiting,
                events_since_result=Counter(self._events_since_result),
                latest=self._latest,
            )
        percentiles = {
            stage: tuple(np.percentile(values, (50, 95)).tolist())
            for stage, values in latency.items()
        }
        return replace(numbers, latency_ms=percentiles)


def grown(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """How much more there is of each, where there is more."""
    more = {name: number - before.get(name, 0) for name, number in sorted(now.items())}
    return {name: number for name, number in more.items() if number > 0}
