"""A node's state as diagnostic messages: what is common to all nodes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

__all__ = ["Throttle", "idle_status", "status_message", "worth_logging"]


class Throttle:
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


def worth_logging(statuses: Sequence[DiagnosticStatus]) -> list[tuple[str, str]]:
    """Subjects and sentences for the log, for users who do not look at diagnostics.

    They are about what comes to nothing. A result that is LOST is no news to its subscribers.
    """
    return [
        (status.name, f"{status.name.rsplit(': ', 1)[1]}: {status.message}")
        for status in statuses
        if status.level == DiagnosticStatus.ERROR
        or (status.level == DiagnosticStatus.WARN and status.name.endswith(": input"))
    ]
