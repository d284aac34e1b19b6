"""Relative pose accuracy of matching methods on image pairs, side by side.

Every method's matches go through the same estimator (essential matrix, MAGSAC, 1 px). The error of
a pair is the larger of its rotation error and its translation-direction error, and a pair without
an estimate has an infinite one, as in SuperGlue (Sarlin et al. 2020) and LoFTR (Sun et al. 2021).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from coarse_loftr_lab.evaluation.data.pose_pairs import PosePair
from coarse_loftr_lab.evaluation.estimators import estimate_pose
from coarse_loftr_lab.evaluation.measuring import Progress, refuse_equal_names
from coarse_loftr_lab.evaluation.metrics import AucFigure, auc_figures
from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = ["PoseReport", "PoseResult", "PoseSummary", "evaluate_pose"]

THRESHOLDS_DEG = (5.0, 10.0, 20.0)


class PosePairsOf(Protocol):
    """Pairs that are loaded one at a time."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[PosePair]: ...


@dataclass(frozen=True)
class PoseResult:
    """One method on one pair.

    Attributes:
        method: the method's name.
        pair: the pair's name.
        rotation_error_deg: infinite without an estimate.
        direction_error_deg: likewise; in [0, 90] otherwise.
        matches: matches given to the estimator.
        inliers: matches within its threshold.
    """

    method: str
    pair: str
    rotation_error_deg: float
    direction_error_deg: float
    matches: int
    inliers: int

    @property
    def error_deg(self) -> float:
        """The larger of both errors."""
        return max(self.rotation_error_deg, self.direction_error_deg)


@dataclass(frozen=True)
class PoseSummary:
    """One method on all pairs.

    Attributes:
        method: the method's name.
        pairs: how many pairs.
        auc: of the larger error, one figure per threshold in degrees.
        median_rotation_deg: median rotation error.
        median_direction_deg: median translation-direction error.
        failures: pairs without an estimate.
        median_matches: median number of matches per pair.
        median_inliers: median number of inliers per pair.
    """

    method: str
    pairs: int
    auc: tuple[AucFigure, ...]
    median_rotation_deg: float
    median_direction_deg: float
    failures: int
    median_matches: float
    median_inliers: float


@dataclass(frozen=True)
class PoseReport:
    """All methods on all pairs; attributes as those of ``HomographyReport``."""

    summaries: tuple[PoseSummary, ...]
    results: tuple[PoseResult, ...]


def evaluate_pose(
    matchers: Sequence[PairMatcher], pairs: PosePairsOf, progress: Progress | None = None
) -> PoseReport:
    """Measure methods on pairs with a known relative pose, otherwise as ``evaluate_homography``."""
    refuse_equal_names(matchers)
    results: list[PoseResult] = []
    for pair in pairs:
        for matcher in matchers:
            matches = matcher.match(
                matcher.describe(pair.reference), matcher.describe(pair.current)
            )
            estimate = estimate_pose(matches, pair.reference_camera, pair.current_camera)
            errors = estimate.errors(pair.rotation, pair.translation)
            inliers = int(estimate.inlier.sum())
            results.append(PoseResult(matcher.name, pair.name, *errors, len(matches), inliers))
            if progress is not None:
                step = f"{matcher.name}: {pair.name}"
                progress(len(results), len(pairs) * len(matchers), step)
    summaries = [
        _summarise([result for result in results if result.method == matcher.name])
        for matcher in matchers
    ]
    return PoseReport(tuple(summaries), tuple(results))


def _summarise(results: Sequence[PoseResult]) -> PoseSummary:
    """Figures of one method."""
    errors = [result.error_deg for result in results]
    return PoseSummary(
        method=results[0].method,
        pairs=len(results),
        auc=auc_figures(errors, THRESHOLDS_DEG),
        median_rotation_deg=float(np.median([result.rotation_error_deg for result in results])),
        median_direction_deg=float(np.median([result.direction_error_deg for result in results])),
        failures=sum(not np.isfinite(error) for error in errors),
        median_matches=float(np.median([result.matches for result in results])),
        median_inliers=float(np.median([result.inliers for result in results])),
    )
