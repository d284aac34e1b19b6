"""How often a homography is published as good between images that have nothing in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from coarse_loftr_lab.evaluation.data.unrelated_pairs import UnrelatedPairs
from coarse_loftr_lab.evaluation.measuring import Progress, refuse_equal_names
from coarse_loftr_lab.evaluation.metrics import wilson_interval
from coarse_loftr_lab.evaluation.own import OwnMatcher
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.result import Status

__all__ = ["FalseMatchReport", "FalseMatches", "evaluate_false_matches"]


@dataclass(frozen=True)
class FalseMatches:
    """One method on pairs of one kind.

    Attributes:
        method: the method's name.
        kind: of the pairs.
        pairs: how many.
        ok: how many were called OK.
        high: upper end of the 95 % Wilson interval of their share.
        degraded: how many were called DEGRADED.
        names: of the pairs that were called OK.
    """

    method: str
    kind: str
    pairs: int
    ok: int
    high: float
    degraded: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class FalseMatchReport:
    """All methods on all kinds."""

    results: tuple[FalseMatches, ...]


def evaluate_false_matches(
    matchers: Sequence[OwnMatcher],
    kinds: Sequence[UnrelatedPairs],
    progress: Progress | None = None,
) -> FalseMatchReport:
    """Count the statuses that pairs without a homography get.

    Args:
        matchers: methods with different names.
        kinds: of pairs.
        progress: called after each pair and method.

    Raises:
        ValueError: when two methods have one name.
    """
    refuse_equal_names(matchers)
    statuses = {
        (matcher.name, pairs.name): Counter[Status]() for pairs in kinds for matcher in matchers
    }
    names: dict[tuple[str, str], list[str]] = {key: [] for key in statuses}
    steps, done = len(matchers) * sum(map(len, kinds)), 0
    for pairs in kinds:
        for index in range(len(pairs)):
            pair = pairs[index]
            for matcher in matchers:
                key = matcher.name, pairs.name
                status = matcher.status(Frame(pair.reference), Frame(pair.current))
                statuses[key][status] += 1
                if status is Status.OK:
                    names[key].append(pair.name)
                done += 1
                if progress is not None:
                    progress(done, steps, f"{matcher.name} {pair.name}")
    results = []
    for (method, kind), count in statuses.items():
        ok, total = count[Status.OK], count.total()
        high = wilson_interval(ok, total)[1]
        results.append(
            FalseMatches(
                method, kind, total, ok, high, count[Status.DEGRADED], tuple(names[method, kind])
            )
        )
    return FalseMatchReport(tuple(results))
