"""A node's state as diagnostic messages: what every node says."""

from __future__ import annotations

import time
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from coarse_loftr_ros.node.statistics import Snapshot
from coarse_loftr_ros.result import Status

__all__ = [
    "Occasionally",
    "counts_and_times",
    "idle_status",
    "input_status",
    "judged_message",
    "status_message",
]


class Occasionally:
    """Lets a thing of each kind through once per period, so that logs stay readable.

    Args:
        period_s: least time between two of a kind, seconds.
    """

    def __init__(self, period_s: float = 5.0) -> None:
        self._period_s = period_s
        self._last: dict[str, float] = {}

    def now(self, kind: str) -> bool:
        """Whether it is time for this kind again."""
        now = time.monotonic()
        if now - self._last.get(kind, -1e9) < self._period_s:
            return False
        self._last[kind] = now
        return True


def idle_status(node: str, subject: str, state: str, busy: str = "") -> DiagnosticStatus:
    """Of a node that is not active; ``busy`` names slow work that it does meanwhile."""
    message = f"not active ({state})" + (f": {busy}" if busy else "")
    return status_message(f"{node}: {subject}", DiagnosticStatus.OK, message, {})


def input_status(
    node: str,
    thing: str,
    snapshot: Snapshot,
    since: Snapshot | None,
    timeout_s: float,
    why_silent: str,
    unpaired: tuple[int, int] | None = None,
) -> DiagnosticStatus:
    """What comes in: rates, skipped and rejected images.

    Args:
        node: full name of the node.
        thing: that comes in, in the singular.
        snapshot: the numbers now.
        since: the numbers at the previous message; what was rejected since then is a warning.
        timeout_s: longer silence is a warning.
        why_silent: why nothing arrives, should that be so.
        unpaired: left and right images without a partner; ``None`` without stereo.
    """
    values = {
        "input rate (Hz)": f"{snapshot.input_hz:.1f}",
        "received": snapshot.counts.get("received", 0),
        "skipped": snapshot.counts.get("skipped", 0),
        "lost by the middleware": snapshot.counts.get("lost by the middleware", 0),
        "rejected": sum(snapshot.rejected.values()),
    }
    for cause, number in sorted(snapshot.rejected.items()):
        values[f"rejected: {cause}"] = number
    if unpaired is not None:
        values["unpaired left"], values["unpaired right"] = unpaired
    before = since.rejected if since is not None else {}
    rejected = {
        cause: number - before.get(cause, 0)
        for cause, number in sorted(snapshot.rejected.items())
        if number > before.get(cause, 0)
    }
    level, message = DiagnosticStatus.OK, f"{snapshot.input_hz:.1f} {thing}s per second"
    if snapshot.silence_s > timeout_s:
        level = DiagnosticStatus.WARN
        message = f"no {thing} for {snapshot.silence_s:.1f} s: {why_silent}"
    elif rejected:
        level = DiagnosticStatus.WARN
        causes = ", ".join(f"{number} {cause}" for cause, number in rejected.items())
        message = f"unusable messages: {causes}"
    return status_message(f"{node}: input", level, message, values)


def judged_message(snapshot: Snapshot, since: Snapshot | None, reason: str) -> tuple[bytes, str]:
    """Level and words for the quality of the latest result; LOST warns, also when it has passed.

    Args:
        snapshot: the numbers now, with a latest result.
        since: the numbers at the previous message.
        reason: of the latest status; empty when there is none.
    """
    status = snapshot.latest.status
    message = f"{status.name}: {reason}" if reason else status.name
    before = since.counts.get("LOST", 0) if since is not None else 0
    lost = snapshot.counts.get("LOST", 0) - before
    if status == Status.LOST:
        return DiagnosticStatus.WARN, message
    if lost > 0:
        return DiagnosticStatus.WARN, f"{lost} LOST since the last report, now {message}"
    return DiagnosticStatus.OK, message


def counts_and_times(snapshot: Snapshot) -> dict[str, object]:
    """Restarts by cause, results by status, and times per stage, as values of a diagnostic."""
    values: dict[str, object] = {}
    for cause, number in sorted(snapshot.resets.items()):
        values[f"reset: {cause}"] = number
    for status in Status:
        values[f"results {status.name}"] = snapshot.counts.get(status.name, 0)
    for stage, (median, p95) in snapshot.latency_ms.items():
        values[f"{stage} p50 (ms)"] = f"{median:.2f}"
        values[f"{stage} p95 (ms)"] = f"{p95:.2f}"
    return values


def status_message(
    name: str, level: bytes, message: str, values: Mapping[str, object]
) -> DiagnosticStatus:
    """A ``diagnostic_msgs/DiagnosticStatus`` with these values, written as text."""
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id="",
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
