"""The node's state as diagnostic messages."""

from __future__ import annotations

import time
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from coarse_loftr_ros.node.statistics import Snapshot
from coarse_loftr_ros.result import Status

__all__ = ["Occasionally", "idle_status", "input_status", "matching_status"]


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


def idle_status(node: str, state: str) -> DiagnosticStatus:
    """Of a node that is not active."""
    return _status(f"{node}: matching", DiagnosticStatus.OK, f"not active ({state})", {})


def input_status(
    node: str,
    snapshot: Snapshot,
    since: Snapshot | None,
    timeout_s: float,
    why_silent: str,
    unpaired: tuple[int, int] | None,
) -> DiagnosticStatus:
    """What comes in: rates, skipped and rejected images.

    Args:
        node: full name of the node.
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
    level, message = DiagnosticStatus.OK, f"{snapshot.input_hz:.1f} images per second"
    if snapshot.silence_s > timeout_s:
        level = DiagnosticStatus.WARN
        message = f"no image for {snapshot.silence_s:.1f} s: {why_silent}"
    elif rejected:
        level = DiagnosticStatus.WARN
        causes = ", ".join(f"{number} {cause}" for cause, number in rejected.items())
        message = f"unusable messages: {causes}"
    return _status(f"{node}: input", level, message, values)


def matching_status(
    node: str, snapshot: Snapshot, since: Snapshot | None, backend: str, model: str
) -> DiagnosticStatus:
    """What goes out: rates, times per stage, and the quality of the latest match.

    Args:
        node: full name of the node.
        snapshot: the numbers now.
        since: the numbers at the previous message.
        backend: runtime, device and size in words.
        model: name and version of the network.
    """
    values: dict[str, object] = {
        "output rate (Hz)": f"{snapshot.output_hz:.1f}",
        "matched": snapshot.counts.get("matched", 0),
        "backend": backend,
        "model": model,
        "first references": snapshot.counts.get("first references", 0),
        "new references": snapshot.counts.get("new references", 0),
    }
    for cause, number in sorted(snapshot.resets.items()):
        values[f"reset: {cause}"] = number
    for status in Status:
        values[f"results {status.name}"] = snapshot.counts.get(status.name, 0)
    for stage, (median, p95) in snapshot.latency_ms.items():
        values[f"{stage} p50 (ms)"] = f"{median:.2f}"
        values[f"{stage} p95 (ms)"] = f"{p95:.2f}"
    level, message = DiagnosticStatus.OK, "waiting for a pair of images"
    homography = snapshot.homography
    if homography is not None:
        values["status"] = homography.status.name
        values["inliers"] = f"{homography.inlier_count} of {homography.match_count}"
        values["rms (px)"] = f"{homography.rms_px:.2f}"
        values["coverage"] = f"{homography.coverage:.2f}"
        message = homography.status.name
        if homography.reason:
            message += f": {homography.reason}"
        before = since.counts.get("LOST", 0) if since is not None else 0
        lost = snapshot.counts.get("LOST", 0) - before
        if homography.status == Status.LOST:
            level = DiagnosticStatus.WARN
        elif lost > 0:
            level = DiagnosticStatus.WARN
            message = f"{lost} LOST since the last report, now {message}"
    return _status(f"{node}: matching", level, message, values)


def _status(
    name: str, level: bytes, message: str, values: Mapping[str, object]
) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id="",
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
