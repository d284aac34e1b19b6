"""The thresholds of the baselines, chosen on photographs that are not those of reported figures.

A baseline at its loosest setting finds all matches of the stricter ones too, and gives each a
confidence; a threshold is tried by leaving out the less confident. The best has the largest mean
of AUC@1, @3 and @5 px.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coarse_loftr_lab.evaluation.estimators import estimate_homography
from coarse_loftr_lab.evaluation.homography_accuracy import HomographyPairs
from coarse_loftr_lab.evaluation.measuring import Progress
from coarse_loftr_lab.evaluation.metrics import area_under_curve, mean_corner_error
from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = ["GRIDS", "TriedThreshold", "TuningReport", "evaluate_thresholds"]

GRIDS = {
    "ratio": (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0),
    "minimum_cosine": (0.5, 0.6, 0.7, 0.75, 0.82, 0.85, 0.9, 0.95),
    "minimum_confidence": (0.0, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5),
}
"""Values that are tried, by the name of the setting."""

THRESHOLDS_PX = (1.0, 3.0, 5.0)


@dataclass(frozen=True)
class TriedThreshold:
    """One method with one threshold.

    Attributes:
        method: the method's name.
        setting: name of its threshold.
        value: of the threshold.
        pairs: how many pairs.
        auc: up to 1, 3 and 5 px.
        mean: of these.
        best: whether no other threshold of the method has a larger mean.
    """

    method: str
    setting: str
    value: float
    pairs: int
    auc: tuple[float, ...]
    mean: float
    best: bool


@dataclass(frozen=True)
class TuningReport:
    """All thresholds of all methods.

    Attributes:
        tried: thresholds of a method together, rising.
    """

    tried: tuple[TriedThreshold, ...]


def evaluate_thresholds(
    matchers: Sequence[PairMatcher], pairs: HomographyPairs, progress: Progress | None = None
) -> TuningReport:
    """Try every threshold of every method.

    Args:
        matchers: at their loosest; each has one setting of ``GRIDS``.
        pairs: with truth.
        progress: called after each pair and method.
    """
    errors: dict[tuple[str, str, float], list[float]] = {}
    done = 0
    for pair in pairs:
        height, width = pair.reference.shape
        for matcher in matchers:
            matches = matcher.match(
                matcher.describe(pair.reference), matcher.describe(pair.current)
            )
            (setting,) = GRIDS.keys() & matcher.settings.keys()
            for value in GRIDS[setting]:
                # The confidence of a ratio is how far it is below 1.
                least = 1 - value if setting == "ratio" else value
                estimate = estimate_homography(matches.surer_than(least))
                error = float("inf")
                if estimate.success:
                    error = mean_corner_error(estimate.matrix, pair.homography, width, height)
                errors.setdefault((matcher.name, setting, value), []).append(error)
            done += 1
            if progress is not None:
                progress(done, len(pairs) * len(matchers), f"{matcher.name}: {pair.name}")
    areas = {
        key: tuple(area_under_curve(values, threshold) for threshold in THRESHOLDS_PX)
        for key, values in errors.items()
    }
    tried = []
    for matcher in matchers:
        own = {key: auc for key, auc in areas.items() if key[0] == matcher.name}
        best = max(own, key=lambda key: float(np.mean(own[key])))
        tried += [
            TriedThreshold(*key, len(errors[key]), auc, float(np.mean(auc)), key == best)
            for key, auc in own.items()
        ]
    return TuningReport(tuple(tried))
