"""What comes into a node, on /diagnostics: rates, silence, and messages that came to nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus

from coarse_loftr_ros.node.common.diagnostics import status_message
from coarse_loftr_ros.node.common.statistics import Snapshot, grown

__all__ = ["Expectations", "input_status"]


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
        also: says in words what else an operator should know, from counts since the last report.
    """

    thing: str
    timeout_s: float
    why_silent: Callable[[Sequence[str]], str]
    gap_s: float | None = None
    tolerance_s: float = 0.0
    lossless: bool = False
    also: Callable[[Mapping[str, int]], Sequence[str]] = lambda new: ()


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
    for event in ("without their mask", "late masks", "stray masks"):
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
    silent = snapshot.silent_inputs(expected.timeout_s)
    if silent:
        which = "" if len(silent) == len(snapshot.inputs) else " and ".join(silent) + " "
        seconds = min(snapshot.inputs[name].silence_s for name in silent)
        why = expected.why_silent(silent)
        problems.append(f"no {which}{thing} for {seconds:.1f} s: {why}")
    rejected = grown(snapshot.rejected, since.rejected if since else {})
    if rejected:
        problems.append(f"unusable messages: {_listed(rejected)}")
    before = since.counts if since else {}
    unpaired = grown(
        {side: snapshot.counts.get(f"unpaired {side}", 0) for side in snapshot.inputs},
        {side: before.get(f"unpaired {side}", 0) for side in snapshot.inputs},
    )
    # Publishers of a pair are not discovered at once; one that is silent is named above.
    if unpaired and not silent and snapshot.active_s > expected.timeout_s:
        problems.append(f"images without a partner: {_listed(unpaired)}{_apart(expected)}")
    lost = grown(snapshot.counts, before).get("lost by the middleware", 0)
    if lost:
        problems.append(f"{lost} {thing}s lost by the middleware")
    skipped = grown(snapshot.counts, before).get("skipped", 0)
    if skipped and expected.lossless:
        problems.append(f"{skipped} {thing}s skipped: they come faster than they are used")
    return [*problems, *expected.also(grown(snapshot.counts, before))]


def _apart(expected: Expectations) -> str:
    """What the measured gap of left and right tells about images without a partner."""
    if expected.gap_s is None:
        return ""
    gap = f"; the stamps of left and right are {1e3 * expected.gap_s:.1f} ms apart (median)"
    tolerance = f"{1e3 * expected.tolerance_s:.1f} ms"
    if expected.gap_s > expected.tolerance_s:
        return f"{gap}, stereo.tolerance is {tolerance}"
    return f"{gap}, within stereo.tolerance ({tolerance}): some are missing or come too late"


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items())
