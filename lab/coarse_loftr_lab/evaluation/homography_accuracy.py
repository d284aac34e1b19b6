"""Homography accuracy of matching methods, side by side.

Every method's matches go through the same estimator (MAGSAC, 3 px). A pair without an estimate has
an infinite error and counts against the method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_lab.evaluation.estimators import estimate_homography
from coarse_loftr_lab.evaluation.measuring import Progress, refuse_equal_names
from coarse_loftr_lab.evaluation.metrics import (
    AucFigure,
    auc_figures,
    matching_accuracy,
    mean_corner_error,
)
from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = [
    "HomographyReport",
    "HomographyResult",
    "HomographySummary",
    "evaluate_homography",
    "match_pairs",
    "summarise_homography",
]

THRESHOLDS_PX = (1.0, 3.0, 5.0, 10.0)
ACCURACY_PX = tuple(range(1, 11))


class HomographyPairs(Protocol):
    """Pairs that are loaded one at a time."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[HomographyPair]: ...


@dataclass(frozen=True)
class HomographyResult:
    """One method on one pair.

    Attributes:
        method: the method's name.
        pair: the pair's name.
        corner_error_px: mean corner error, px of the current image; infinite without an estimate.
        matches: matches given to the estimator.
        inliers: matches within its threshold.
        accuracy: share of the matches within 1, 2, ... 10 px of the truth in the current image;
            0 where there is no match.
    """

    method: str
    pair: str
    corner_error_px: float
    matches: int
    inliers: int
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class HomographySummary:
    """One method on all pairs.

    Attributes:
        method: the method's name.
        pairs: how many pairs.
        auc: one figure per threshold.
        median_error_px: median mean corner error; infinite when half the pairs failed.
        failures: pairs without an estimate.
        median_matches: median number of matches per pair.
        median_inliers: median number of inliers per pair.
        accuracy: mean matching accuracy (MMA; Mikolajczyk and Schmid 2005, as D2-Net and its
            successors report it on HPatches): the mean over the pairs of the share of matches
            within 1, 2, ... 10 px of the truth.
    """

    method: str
    pairs: int
    auc: tuple[AucFigure, ...]
    median_error_px: float
    failures: int
    median_matches: float
    median_inliers: float
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class HomographyReport:
    """All methods on all pairs.

    Attributes:
        summaries: one per method, in the order the methods were given.
        results: one per pair and method.
    """

    summaries: tuple[HomographySummary, ...]
    results: tuple[HomographyResult, ...]


def evaluate_homography(
    matchers: Sequence[PairMatcher],
    pairs: HomographyPairs,
    progress: Progress | None = None,
) -> HomographyReport:
    """Measure methods on pairs with a known homography.

    An image that is the reference of several pairs in a row is described once per method.

    Args:
        matchers: methods with different names.
        pairs: pairs with truth.
        progress: called after each pair and method.

    Raises:
        ValueError: when two methods have the same name.
    """
    results = match_pairs(matchers, pairs, progress)
    summaries = [
        summarise_homography([result for result in results if result.method == matcher.name])
        for matcher in matchers
    ]
    return HomographyReport(tuple(summaries), tuple(results))


def match_pairs(
    matchers: Sequence[PairMatcher],
    pairs: HomographyPairs,
    progress: Progress | None = None,
) -> list[HomographyResult]:
    """The single results of :func:`evaluate_homography`."""
    refuse_equal_names(matchers)
    results: list[HomographyResult] = []
    steps = len(pairs) * len(matchers)
    described_image, described = None, {}
    for pair in pairs:
        if described_image is not pair.reference:
            described_image, described = pair.reference, {}
        height, width = pair.reference.shape
        for matcher in matchers:
            if matcher.name not in described:
                described[matcher.name] = matcher.describe(pair.reference)
            matches = matcher.match(described[matcher.name], matcher.describe(pair.current))
            estimate = estimate_homography(matches)
            error = float("inf")
            if estimate.success:
                error = mean_corner_error(estimate.matrix, pair.homography, width, height)
            results.append(
                HomographyResult(
                    matcher.name,
                    pair.name,
                    error,
                    len(matches),
                    int(estimate.inlier.sum()),
                    matching_accuracy(
                        matches.reference_points,
                        matches.current_points,
                        pair.homography,
                        ACCURACY_PX,
                    ),
                )
            )
            if progress is not None:
                progress(len(results), steps, f"{matcher.name}: {pair.name}")
    return results


def summarise_homography(results: Sequence[HomographyResult]) -> HomographySummary:
    """Figures of one method.

    Args:
        results: the method's results, at least one.

    Raises:
        ValueError: when there are none, or they are of several methods.
    """
    methods = {result.method for result in results}
    if len(methods) != 1:
        raise ValueError(f"results are of methods {sorted(methods)}; they must be of one")
    errors = [result.corner_error_px for result in results]
    return HomographySummary(
        method=methods.pop(),
        pairs=len(results),
        auc=auc_figures(errors, THRESHOLDS_PX),
        median_error_px=float(np.median(errors)),
        failures=sum(not np.isfinite(error) for error in errors),
        median_matches=float(np.median([result.matches for result in results])),
        median_inliers=float(np.median([result.inliers for result in results])),
        accuracy=tuple(np.mean([result.accuracy for result in results], axis=0).tolist()),
    )
