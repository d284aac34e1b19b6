"""How much of each kind of stress matching methods withstand, side by side.

A pair succeeds when its homography (MAGSAC, 3 px) has a mean corner error below 3 px.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from coarse_loftr_lab.evaluation.data.stress_suites import Suite
from coarse_loftr_lab.evaluation.homography_accuracy import HomographyPairs, match_pairs
from coarse_loftr_lab.evaluation.measuring import Progress
from coarse_loftr_lab.evaluation.metrics import bootstrap_interval, wilson_interval
from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = ["StressLevel", "StressReport", "StressSummary", "SuiteFacts", "evaluate_stress"]

SUCCESS_PX = 3.0

PairsOf = Callable[["Suite | None", float], HomographyPairs]
"""The pairs of a suite under a dose, or without stress."""


@dataclass(frozen=True)
class SuiteFacts:
    """What a reader of the figures must know of a suite.

    Attributes:
        name: of the suite.
        quantity: what a dose counts.
        calm: how a table names the absence of this stress.
        doses: in order.
    """

    name: str
    quantity: str
    calm: str
    doses: tuple[float, ...]


@dataclass(frozen=True)
class StressLevel:
    """One method under one dose.

    Attributes:
        method: the method's name.
        suite: the suite's name; empty for the pairs without stress.
        dose: of the stress.
        pairs: how many pairs.
        success: share of the pairs that succeeded.
        low: lower end of its 95 % Wilson interval.
        high: upper end.
        median_error_px: median mean corner error; infinite when half the pairs failed.
    """

    method: str
    suite: str
    dose: float
    pairs: int
    success: float
    low: float
    high: float
    median_error_px: float


@dataclass(frozen=True)
class StressSummary:
    """One method under all doses of a suite.

    Attributes:
        method: the method's name.
        suite: the suite's name.
        pairs: how many pairs, over all doses.
        success: share of them that succeeded; pairs without stress are not among them.
        low: lower end of its 95 % interval; the bootstrap draws photographs, with all their doses.
        high: upper end.
        calm_success: share of the same photographs that succeeded without stress.
    """

    method: str
    suite: str
    pairs: int
    success: float
    low: float
    high: float
    calm_success: float


@dataclass(frozen=True)
class StressReport:
    """All methods under all doses.

    Attributes:
        suites: in order.
        summaries: one per suite and method.
        levels: one per dose and method; those without stress come first.
    """

    suites: tuple[SuiteFacts, ...]
    summaries: tuple[StressSummary, ...]
    levels: tuple[StressLevel, ...]


def evaluate_stress(
    matchers: Sequence[PairMatcher],
    suites: Sequence[Suite],
    pairs_of: PairsOf,
    progress: Progress | None = None,
) -> StressReport:
    """Measure methods under every dose of every suite, and once without stress.

    Args:
        matchers: methods with different names.
        suites: kinds of stress.
        pairs_of: gives the pairs of a suite under a dose; equal numbers of the same photographs.
        progress: called after each pair and method.

    Raises:
        ValueError: when two methods have the same name.
    """
    doses = [(suite, dose) for suite in suites for dose in suite.doses]
    done = 0
    # Corner errors by method, suite's name and dose.
    errors: dict[tuple[str, str, float], list[float]] = {}
    for suite, dose in [(None, 0.0), *doses]:
        pairs = pairs_of(suite, dose)
        steps = len(pairs) * len(matchers)

        def report(step: int, _: int, what: str, before: int = done, steps: int = steps) -> None:
            if progress is not None:
                progress(before + step, steps * (len(doses) + 1), what)

        for result in match_pairs(matchers, pairs, report):
            key = result.method, suite.name if suite else "", dose
            errors.setdefault(key, []).append(result.corner_error_px)
        done += steps
    return StressReport(
        tuple(SuiteFacts(s.name, s.quantity, s.calm, s.doses) for s in suites),
        tuple(_summarise(matcher.name, suite, errors) for suite in suites for matcher in matchers),
        tuple(_level(*key, values) for key, values in errors.items()),
    )


def _level(method: str, suite: str, dose: float, errors: Sequence[float]) -> StressLevel:
    good = sum(error < SUCCESS_PX for error in errors)
    return StressLevel(
        method=method,
        suite=suite,
        dose=dose,
        pairs=len(errors),
        success=good / len(errors),
        **dict(zip(("low", "high"), wilson_interval(good, len(errors)), strict=True)),
        median_error_px=float(np.median(errors)),
    )


def _summarise(
    method: str, suite: Suite, errors: dict[tuple[str, str, float], list[float]]
) -> StressSummary:
    good = np.array([errors[method, suite.name, dose] for dose in suite.doses]) < SUCCESS_PX
    low, high = bootstrap_interval(good.mean(axis=0), lambda sample: float(np.mean(sample)))
    return StressSummary(
        method=method,
        suite=suite.name,
        pairs=good.size,
        success=float(good.mean()),
        low=low,
        high=high,
        calm_success=float(np.mean(np.array(errors[method, "", 0.0]) < SUCCESS_PX)),
    )
