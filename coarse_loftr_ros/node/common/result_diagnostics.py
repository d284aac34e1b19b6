"""What goes out of a node, on /diagnostics: whether results come, their quality, and times."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus

from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.node.common.input_diagnostics import Expectations
from coarse_loftr_ros.node.common.statistics import Snapshot, grown

__all__ = ["counts_and_times", "work_message"]

# A lack of results is an error when it lasts for this many times the timeout.
_LASTING = 3


def work_message(
    snapshot: Snapshot,
    since: Snapshot | None,
    expected: Expectations,
    waiting: str,
    reason: str,
    doing: str = "",
) -> tuple[bytes, str]:
    """Level and words for what goes out: whether results come, and the quality of the latest.

    Args:
        snapshot: the numbers now.
        since: the numbers at the previous message.
        expected: of the inputs.
        waiting: what to say before there is a result.
        reason: of the latest result's status; empty when there is none.
        doing: what inputs are waiting for, in words; empty when for nothing.
    """
    level, message = DiagnosticStatus.OK, waiting
    if snapshot.latest is not None:
        level, message = _quality_message(snapshot, since, reason)
    problem = _result_problem(snapshot, since, expected, doing)
    if problem is None:
        return level, message
    latest = f"; the latest result was {message}" if snapshot.latest is not None else ""
    return max(level, problem[0]), problem[1] + latest


def _quality_message(snapshot: Snapshot, since: Snapshot | None, reason: str) -> tuple[bytes, str]:
    """Level and words for the quality of the latest result; LOST warns, also when it has passed.

    Args:
        snapshot: the numbers now, with a latest result.
        since: the numbers at the previous message.
        reason: of the latest status; empty when there is none.
    """
    status = snapshot.latest.status
    message = f"{status.name}: {reason}" if reason else status.name
    lost = grown(snapshot.counts, since.counts if since else {}).get("LOST", 0)
    if status == Status.LOST:
        return DiagnosticStatus.WARN, message
    if lost > 0:
        return DiagnosticStatus.WARN, f"{lost} LOST since the last report, now {message}"
    return DiagnosticStatus.OK, message


def _result_problem(
    snapshot: Snapshot, since: Snapshot | None, expected: Expectations, doing: str = ""
) -> tuple[bytes, str] | None:
    """Level and words when no result came for too long, or an error was survived.

    Args:
        snapshot: the numbers now.
        since: the numbers at the previous message.
        expected: of the inputs.
        doing: what inputs are waiting for, in words; empty when for nothing.

    Returns:
        ``None`` when there is nothing to say.
    """
    errors = grown(snapshot.errors, since.errors if since else {})
    words = [f"errors while {what}: {number}, see the log" for what, number in errors.items()]
    level = DiagnosticStatus.ERROR if errors else DiagnosticStatus.OK
    if snapshot.since_result_s > expected.timeout_s:
        come = len(snapshot.silent_inputs(expected.timeout_s)) < len(snapshot.inputs)
        # Not of the time before a camera was switched on.
        lasts = come and snapshot.waiting_s > _LASTING * expected.timeout_s
        level = max(level, DiagnosticStatus.ERROR if lasts else DiagnosticStatus.WARN)
        known = [f"{number} {what}" for what, number in snapshot.events_since_result.most_common()]
        known = [*([doing] if doing else []), *known] or ["none of them was used"]
        why = f": {', '.join(known)}" if come else ""
        thing = f"{expected.thing}s come" if come else f"no {expected.thing} comes"
        words.append(f"{thing}, nothing was published for {snapshot.since_result_s:.1f} s{why}")
    return (level, "; ".join(words)) if words else None


def counts_and_times(snapshot: Snapshot) -> dict[str, object]:
    """What a node did with its inputs, as values of a diagnostic.

    Seconds since a result, restarts by cause, errors by what was being done, results by status,
    and times per stage.
    """
    values: dict[str, object] = {"since a result (s)": f"{snapshot.since_result_s:.1f}"}
    for cause, number in sorted(snapshot.resets.items()):
        values[f"reset: {cause}"] = number
    for doing, number in sorted(snapshot.errors.items()):
        values[f"errors: {doing}"] = number
    for status in Status:
        values[f"results {status.name}"] = snapshot.counts.get(status.name, 0)
    for stage, (median, p95) in snapshot.latency_ms.items():
        values[f"{stage} p50 (ms)"] = f"{median:.2f}"
        values[f"{stage} p95 (ms)"] = f"{p95:.2f}"
    return values
