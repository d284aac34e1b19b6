"""A node's state as diagnostic messages: what is common to all nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.node.common.statistics import Snapshot

__all__ = [
    "Expectations",
    "Throttle",
    "counts_and_times",
    "idle_status",
    "input_status",
    "status_message",
    "work_message",
    "worth_logging",
]

# A lack of results is an error when it lasts for this many times the timeout.
_LASTING = 3


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


@dataclass(frozen=True)
class Expectations:
    """What the inputs of a node should be like, and what is known when they are not.

    Attributes:
        thing: that comes in, in the singular.
        timeout_s: longest time without a message, or without a result, that is no warning.
        why_silent: says in words why nothing comes from these inputs.
        gap_s: how far apart the stamps of left and right are; ``None`` when that is not known.
        tolerance_s: how far apart they may be.
        lossless: no message should be skipped.
    """

    thing: str
    timeout_s: float
    why_silent: Callable[[Sequence[str]], str]
    gap_s: float | None = None
    tolerance_s: float = 0.0
    lossless: bool = False


def _silent(snapshot: Snapshot, timeout_s: float) -> list[str]:
    """Names of the inputs from which nothing came for longer than this."""
    return [name for name, source in snapshot.inputs.items() if source.silence_s > timeout_s]


def input_status(
    node: str, snapshot: Snapshot, since: Snapshot | None, expected: Expectations
) -> DiagnosticStatus:
    """What comes in: rates; silence, and messages that came to nothing since the last report.

    Args:
        node: full name of the node.
        snapshot: the numbers now.
        since: the numbers at the previous message.
        expected: of the inputs.
    """
    values: dict[str, object] = {}
    for name, source in snapshot.inputs.items():
        values[_of("input rate (Hz)", name)] = f"{source.rate_hz:.1f}"
    values["received"] = snapshot.received
    if len(snapshot.inputs) > 1:
        for name, source in snapshot.inputs.items():
            values[_of("received", name)] = source.received
    values["skipped"] = snapshot.counts.get("skipped", 0)
    values["lost by the middleware"] = snapshot.counts.get("lost by the middleware", 0)
    for event in ("unpaired left", "unpaired right"):
        if event in snapshot.counts:
            values[event] = snapshot.counts[event]
    if expected.gap_s is not None:
        values["stamp gap (ms)"] = f"{1e3 * expected.gap_s:.1f}"
    values["rejected"] = sum(snapshot.rejected.values())
    for cause, number in sorted(snapshot.rejected.items()):
        values[f"rejected: {cause}"] = number
    problems = _input_problems(snapshot, since, expected)
    if problems:
        return status_message(f"{node}: input", DiagnosticStatus.WARN, "; ".join(problems), values)
    rates = ", ".join(
        f"{name} {source.rate_hz:.1f}".strip() for name, source in snapshot.inputs.items()
    )
    message = f"{rates} {expected.thing}s per second"
    return status_message(f"{node}: input", DiagnosticStatus.OK, message, values)


def _of(what: str, name: str) -> str:
    return f"{what} {name}" if name else what


def _input_problems(
    snapshot: Snapshot, since: Snapshot | None, expected: Expectations
) -> list[str]:
    """What an operator should know, in sentences."""
    thing, problems = expected.thing, []
    silent = _silent(snapshot, expected.timeout_s)
    if silent:
        which = "" if len(silent) == len(snapshot.inputs) else " and ".join(silent) + " "
        seconds = min(snapshot.inputs[name].silence_s for name in silent)
        why = expected.why_silent(silent)
        problems.append(f"no {which}{thing} for {seconds:.1f} s: {why}")
    rejected = _grown(snapshot.rejected, since.rejected if since else {})
    if rejected:
        problems.append(f"unusable messages: {_listed(rejected)}")
    before = since.counts if since else {}
    unpaired = _grown(
        {side: snapshot.counts.get(f"unpaired {side}", 0) for side in snapshot.inputs},
        {side: before.get(f"unpaired {side}", 0) for side in snapshot.inputs},
    )
    # Publishers of a pair are not discovered at once; one that is silent is named above.
    if unpaired and not silent and snapshot.active_s > expected.timeout_s:
        problems.append(f"images without a partner: {_listed(unpaired)}{_apart(expected)}")
    lost = _grown(snapshot.counts, before).get("lost by the middleware", 0)
    if lost:
        problems.append(f"{lost} {thing}s lost by the middleware")
    skipped = _grown(snapshot.counts, before).get("skipped", 0)
    if skipped and expected.lossless:
        problems.append(f"{skipped} {thing}s skipped: they come faster than they are used")
    return problems


def _apart(expected: Expectations) -> str:
    """What the measured gap of left and right tells about images without a partner."""
    if expected.gap_s is None:
        return ""
    gap = f"; the stamps of left and right are {1e3 * expected.gap_s:.1f} ms apart (median)"
    tolerance = f"{1e3 * expected.tolerance_s:.1f} ms"
    if expected.gap_s > expected.tolerance_s:
        return f"{gap}, stereo.tolerance is {tolerance}"
    return f"{gap}, within stereo.tolerance ({tolerance}): some are missing or come too late"


def _grown(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """How much more there is of each, where there is more."""
    more = {name: number - before.get(name, 0) for name, number in sorted(now.items())}
    return {name: number for name, number in more.items() if number > 0}


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items())


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
    before = since.counts if since is not None else {}
    lost = snapshot.counts.get("LOST", 0) - before.get("LOST", 0)
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
    errors = _grown(snapshot.errors, since.errors if since else {})
    words = [f"errors while {what}: {number}, see the log" for what, number in errors.items()]
    level = DiagnosticStatus.ERROR if errors else DiagnosticStatus.OK
    if snapshot.since_result_s > expected.timeout_s:
        come = len(_silent(snapshot, expected.timeout_s)) < len(snapshot.inputs)
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
