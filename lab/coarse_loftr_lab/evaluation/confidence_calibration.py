"""Does a confidence of 0.7 mean that seven matches of ten are right?

A match is right when its current point is within 3 px (of the image as received) of where the
truth sends its reference point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.homography_accuracy import HomographyPairs
from coarse_loftr_lab.evaluation.measuring import Progress, refuse_equal_names
from coarse_loftr_lab.evaluation.metrics import transfer_error, wilson_interval
from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = [
    "CalibrationReport",
    "ConfidenceCalibration",
    "OperatingPoint",
    "ReliabilityBin",
    "calibrate",
    "calibration_curve",
    "evaluate_calibration",
    "recommended_threshold",
]

RIGHT_PX = 3.0
BINS = 10
STEP = 0.02  # between thresholds that are compared


@dataclass(frozen=True)
class ReliabilityBin:
    """Matches of about the same confidence.

    Attributes:
        matches: how many.
        confidence: their mean.
        precision: share of them that is right.
        low: lower end of its 95 % Wilson interval.
        high: upper end.
    """

    matches: int
    confidence: float
    precision: float
    low: float
    high: float


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold leaves.

    Attributes:
        threshold: least confidence.
        matches: per pair, mean.
        precision: share of what is left that is right.
        recall: share of all right matches that is left.
    """

    threshold: float
    matches: float
    precision: float
    recall: float


@dataclass(frozen=True)
class ConfidenceCalibration:
    """One method.

    Attributes:
        method: the method's name.
        pairs: how many pairs.
        matches: of all pairs.
        calibration_error: expected calibration error (ECE; Guo et al. 2017): mean distance between
            a bin's confidence and its precision, each bin by its number of matches.
        threshold: what :func:`recommended_threshold` says.
        bins: that are not empty, ten of equal width in [0, 1].
        points: precision and recall against the threshold.
    """

    method: str
    pairs: int
    matches: int
    calibration_error: float
    threshold: float
    bins: tuple[ReliabilityBin, ...]
    points: tuple[OperatingPoint, ...]


@dataclass(frozen=True)
class CalibrationReport:
    """All methods.

    Attributes:
        calibrations: in the order the methods were given.
    """

    calibrations: tuple[ConfidenceCalibration, ...]


def evaluate_calibration(
    matchers: Sequence[PairMatcher], pairs: HomographyPairs, progress: Progress | None = None
) -> CalibrationReport:
    """Compare confidences with the truth.

    Args:
        matchers: methods with different names whose confidence is in [0, 1], without a threshold.
        pairs: with truth; easy and hard ones, as the threshold is to serve both.
        progress: called after each pair and method.

    Raises:
        ValueError: when two methods have the same name.
    """
    refuse_equal_names(matchers)
    found: dict[str, list[tuple[NDArray, NDArray]]] = {matcher.name: [] for matcher in matchers}
    for index, pair in enumerate(pairs):
        for k, matcher in enumerate(matchers):
            matches = matcher.match(
                matcher.describe(pair.reference), matcher.describe(pair.current)
            )
            error = transfer_error(
                matches.reference_points, matches.current_points, pair.homography
            )
            found[matcher.name].append((matches.confidence, error <= RIGHT_PX))
            if progress is not None:
                step, steps = index * len(matchers) + k + 1, len(pairs) * len(matchers)
                progress(step, steps, f"{matcher.name}: {pair.name}")
    return CalibrationReport(
        tuple(
            calibrate(
                name, *(np.concatenate(part) for part in zip(*parts, strict=True)), len(pairs)
            )
            for name, parts in found.items()
        )
    )


def calibrate(
    method: str, confidence: NDArray[np.float32], right: NDArray[np.bool_], pairs: int
) -> ConfidenceCalibration:
    """The figures of one method.

    Args:
        method: its name.
        confidence: [N] in [0, 1], of the matches of all pairs.
        right: bool [N].
        pairs: how many pairs.
    """
    bins = []
    of_match = np.minimum((confidence * BINS).astype(int), BINS - 1)
    for number in range(BINS):
        inside = of_match == number
        count = int(inside.sum())
        if count:
            good = int(right[inside].sum())
            mean = float(confidence[inside].mean())
            bins.append(ReliabilityBin(count, mean, good / count, *wilson_interval(good, count)))
    points = []
    for threshold in np.arange(0, 1, 0.05):
        left = confidence >= threshold
        if left.any():
            points.append(
                OperatingPoint(
                    float(threshold),
                    float(left.sum() / pairs),
                    float(right[left].mean()),
                    float(right[left].sum() / max(1, right.sum())),
                )
            )
    distance = sum(b.matches * abs(b.confidence - b.precision) for b in bins)
    return ConfidenceCalibration(
        method=method,
        pairs=pairs,
        matches=len(confidence),
        calibration_error=float(distance / max(1, len(confidence))),
        threshold=recommended_threshold(confidence, right),
        bins=tuple(bins),
        points=tuple(points),
    )


def calibration_curve(calibration: ConfidenceCalibration) -> list[list[float]]:
    """Points between which a confidence is interpolated to become a precision.

    Bins that break the rise are pooled with their neighbours (isotonic regression by pooling
    adjacent violators), so that the order of matches stays what the network says.

    Args:
        calibration: of confidences as the network gives them.

    Returns:
        Rising (confidence, precision), from (0, 0) to confidence 1.

    Raises:
        ValueError: when fewer than 1000 matches stand behind it.
    """
    if calibration.matches < 1000:
        raise ValueError(f"{calibration.matches} matches are too few to calibrate with; 1000 will")
    pools: list[tuple[float, float, int]] = []
    for each in calibration.bins:
        pool = (each.confidence, each.precision, each.matches)
        while pools and pools[-1][1] >= pool[1]:
            confidence, precision, count = pools.pop()
            total = count + pool[2]
            pool = (
                (confidence * count + pool[0] * pool[2]) / total,
                (precision * count + pool[1] * pool[2]) / total,
                total,
            )
        pools.append(pool)
    curve = [[0.0, 0.0]]
    for confidence, precision, _ in pools:
        if confidence > curve[-1][0] and precision > curve[-1][1]:
            curve.append([round(confidence, 4), round(precision, 4)])
    last = min(1.0, curve[-1][1] + 1e-3)
    if curve[-1][0] < 1.0 and last > curve[-1][1]:
        curve.append([1.0, round(last, 4)])
    return curve


def recommended_threshold(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """The threshold that leaves the largest surplus of right over wrong matches.

    From there on up a match is more likely right than wrong, and right below it the other way
    round: what lies below would give a robust estimator more outliers than inliers, and to leave
    out what lies above would only cost coverage. A surplus is summed over all matches above, so a
    few unlucky ones among the surest decide nothing.

    Args:
        confidence: [N] in [0, 1].
        right: bool [N].

    Returns:
        A multiple of 0.02, the highest of equally good ones; 1 when no threshold leaves a surplus.
    """
    thresholds = np.round(np.arange(0, 1, STEP), 2)
    surplus = [2 * np.sum(right[confidence >= t]) - np.sum(confidence >= t) for t in thresholds]
    best = max(surplus)
    return float(thresholds[np.flatnonzero(surplus == best)[-1]]) if best > 0 else 1.0
