"""Relative pose accuracy of matching methods along a camera's path, side by side.

Every method's matches go through the same estimator (essential matrix, MAGSAC, 1 px). Monocular
images leave the length of the motion open, so rotation and direction are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coarse_loftr_lab.evaluation.data.kitti_sequence import KittiSequence
from coarse_loftr_lab.evaluation.estimators import estimate_pose
from coarse_loftr_lab.evaluation.measuring import Progress, refuse_equal_names
from coarse_loftr_lab.evaluation.metrics import bootstrap_interval
from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = [
    "OdometryReport",
    "OdometryResult",
    "OdometrySummary",
    "check_gaps",
    "evaluate_odometry",
    "summarise_odometry",
]


@dataclass(frozen=True)
class OdometryResult:
    """One method on two images of a sequence.

    Attributes:
        method: the method's name.
        gap: how many images later the current image is.
        reference: index of the reference image.
        rotation_error_deg: infinite without an estimate.
        direction_error_deg: likewise; in [0, 90] otherwise.
        matches: matches given to the estimator.
        inliers: matches within its threshold.
    """

    method: str
    gap: int
    reference: int
    rotation_error_deg: float
    direction_error_deg: float
    matches: int
    inliers: int


@dataclass(frozen=True)
class OdometrySummary:
    """One method at one gap.

    Attributes:
        method: the method's name.
        gap: how many images later the current image is.
        pairs: how many pairs.
        median_rotation_deg: median rotation error.
        median_direction_deg: median translation-direction error.
        direction_low_deg: lower end of its 95 % bootstrap interval.
        direction_high_deg: upper end.
        failures: pairs without an estimate.
        median_matches: median number of matches per pair.
        median_inliers: median number of inliers per pair.
    """

    method: str
    gap: int
    pairs: int
    median_rotation_deg: float
    median_direction_deg: float
    direction_low_deg: float
    direction_high_deg: float
    failures: int
    median_matches: float
    median_inliers: float


@dataclass(frozen=True)
class OdometryReport:
    """All methods at all gaps.

    Attributes:
        sequence: the sequence's name.
        summaries: one per method and gap, gaps of a method together.
        results: one per pair, gap and method.
    """

    sequence: str
    summaries: tuple[OdometrySummary, ...]
    results: tuple[OdometryResult, ...]


def evaluate_odometry(
    matchers: Sequence[PairMatcher],
    sequence: KittiSequence,
    gaps: Sequence[int] = (1, 2, 4, 8),
    progress: Progress | None = None,
) -> OdometryReport:
    """Measure methods between every image of a sequence and the image ``gap`` later.

    Each image is described once per method, as a robot would do it.

    Args:
        matchers: methods with different names.
        sequence: images, intrinsics and true motion.
        gaps: distances between reference and current image.
        progress: called after each pair and method.

    Raises:
        ValueError: when two methods have the same name, or a gap does not fit the sequence.
    """
    refuse_equal_names(matchers)
    check_gaps(sequence, gaps)
    length = len(sequence)
    steps = len(matchers) * sum(length - gap for gap in gaps)
    results: list[OdometryResult] = []
    for matcher in matchers:
        described: dict[int, Any] = {}
        for current in range(length):
            described[current] = matcher.describe(sequence.image(current))
            described.pop(current - max(gaps) - 1, None)
            for gap in gaps:
                reference = current - gap
                if reference < 0:
                    continue
                matches = matcher.match(described[reference], described[current])
                camera = sequence.intrinsics.matrix()
                estimate = estimate_pose(matches, camera, camera)
                truth = sequence.relative_pose(reference, current)
                rotation, direction = estimate.errors(truth.rotation, truth.translation)
                results.append(
                    OdometryResult(
                        method=matcher.name,
                        gap=gap,
                        reference=reference,
                        rotation_error_deg=rotation,
                        direction_error_deg=direction,
                        matches=len(matches),
                        inliers=int(estimate.inlier.sum()),
                    )
                )
                if progress is not None:
                    progress(len(results), steps, f"{matcher.name}: {reference} to {current}")
    summaries = [
        summarise_odometry([r for r in results if r.method == matcher.name and r.gap == gap])
        for matcher in matchers
        for gap in gaps
    ]
    return OdometryReport(sequence.name, tuple(summaries), tuple(results))


def check_gaps(sequence: KittiSequence, gaps: Sequence[int]) -> None:
    """Refuse gaps that do not fit a sequence.

    Raises:
        ValueError: when one is less than 1 or leads beyond the last image.
    """
    length = len(sequence)
    for gap in gaps:
        if not 1 <= gap < length:
            raise ValueError(f"gap is {gap}; it must be in [1, {length - 1}] for {length} images")


def summarise_odometry(results: Sequence[OdometryResult]) -> OdometrySummary:
    """Figures of one method at one gap.

    Args:
        results: the results, at least one.

    Raises:
        ValueError: when there are none, or they are of several methods or gaps.
    """
    kinds = {(result.method, result.gap) for result in results}
    if len(kinds) != 1:
        raise ValueError(f"results are of {sorted(kinds)}; they must be of one method and gap")
    method, gap = kinds.pop()
    direction = [result.direction_error_deg for result in results]
    low, high = bootstrap_interval(direction, lambda sample: float(np.median(sample)))
    return OdometrySummary(
        method=method,
        gap=gap,
        pairs=len(results),
        median_rotation_deg=float(np.median([result.rotation_error_deg for result in results])),
        median_direction_deg=float(np.median(direction)),
        direction_low_deg=low,
        direction_high_deg=high,
        failures=sum(not np.isfinite(error) for error in direction),
        median_matches=float(np.median([result.matches for result in results])),
        median_inliers=float(np.median([result.inliers for result in results])),
    )
