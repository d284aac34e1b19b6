"""Errors of estimates, and summaries of many errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "AucFigure",
    "area_under_curve",
    "auc_figures",
    "bootstrap_interval",
    "matching_accuracy",
    "mean_corner_error",
    "transfer_error",
    "wilson_interval",
]


@dataclass(frozen=True)
class AucFigure:
    """Area under the recall curve of an error.

    Attributes:
        threshold: up to which error, in its unit.
        value: in [0, 1].
        low: lower end of the 95 % bootstrap interval.
        high: upper end.
    """

    threshold: float
    value: float
    low: float
    high: float


def mean_corner_error(
    estimate: NDArray[np.float64], truth: NDArray[np.float64], width: int, height: int
) -> float:
    """Mean distance between where two homographies send the corners of the reference image.

    The corners are the centres of the four corner pixels. This is the homography error of
    SuperPoint (DeTone et al. 2018) and LoFTR (Sun et al. 2021), without resizing the images.

    Args:
        estimate: float64 [3, 3], reference pixels to current pixels.
        truth: float64 [3, 3], likewise.
        width: columns of the reference image.
        height: rows of the reference image.

    Returns:
        The error in px of the current image; infinite where one homography sends a corner to
        infinity or behind the camera.
    """
    right, bottom = width - 1.0, height - 1.0
    corners = np.array([[0, 0, 1], [right, 0, 1], [right, bottom, 1], [0, bottom, 1]], np.float64)
    placed = []
    for homography in (estimate, truth):
        homogeneous = corners @ (homography / homography[2, 2]).T
        if not np.all(homogeneous[:, 2] > 1e-9):
            return float("inf")
        placed.append(homogeneous[:, :2] / homogeneous[:, 2:])
    return float(np.linalg.norm(placed[0] - placed[1], axis=1).mean())


def transfer_error(
    reference: NDArray[np.floating], current: NDArray[np.floating], truth: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of each current point from where the truth sends its reference point.

    Args:
        reference: [N, 2] px.
        current: [N, 2] px.
        truth: float64 [3, 3], reference pixels to current pixels.

    Returns:
        float64 [N] px of the current image; infinite for points that it sends behind the camera.
    """
    homogeneous = np.column_stack([reference, np.ones(len(reference))]) @ (truth / truth[2, 2]).T
    before = homogeneous[:, 2] > 1e-9
    depth = np.where(before, homogeneous[:, 2], 1.0)
    distance = np.linalg.norm(homogeneous[:, :2] / depth[:, None] - current, axis=1)
    return np.where(before, distance, np.inf)


def matching_accuracy(
    reference: NDArray[np.floating],
    current: NDArray[np.floating],
    truth: NDArray[np.float64],
    thresholds: Sequence[float],
) -> tuple[float, ...]:
    """Share of matches whose transfer error is at most each threshold; 0 without matches."""
    errors = transfer_error(reference, current, truth)
    if len(errors) == 0:
        return (0.0,) * len(thresholds)
    return tuple(float(np.mean(errors <= threshold)) for threshold in thresholds)


def area_under_curve(errors: ArrayLike, threshold: float) -> float:
    """Area under the recall curve up to a threshold, as a share of the best possible.

    The cumulative trapezoid of SuperGlue (Sarlin et al. 2020) and LoFTR: recall rises by 1/n at
    each sorted error, linearly in between, and stays level from the last error below the
    threshold on.

    Args:
        errors: [N] errors, infinite for failures.
        threshold: upper limit, in the unit of the errors; greater than zero.

    Returns:
        The area in [0, 1]; NaN when there are no errors.

    Raises:
        ValueError: when the threshold is not positive or an error is negative or NaN.
    """
    ordered = np.sort(np.asarray(errors, np.float64))
    if not threshold > 0:
        raise ValueError(f"AUC threshold is {threshold}; it must be greater than 0")
    if len(ordered) == 0:
        return float("nan")
    if np.isnan(ordered[-1]) or ordered[0] < 0:
        raise ValueError("errors must be 0 or greater, infinite for failures; one is NaN or less")
    below = ordered[ordered < threshold]
    recall = np.arange(len(below) + 1) / len(ordered)
    at = np.concatenate([[0.0], below, [threshold]])
    recall = np.append(recall, recall[-1])
    return float(np.sum(np.diff(at) * (recall[1:] + recall[:-1]) / 2) / threshold)


def bootstrap_interval(
    values: Sequence[float],
    statistic: Callable[[NDArray[np.float64]], float],
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap confidence interval (Efron 1979).

    Args:
        values: the sample.
        statistic: function of a sample of the same size, for example a median.
        level: share of resamples inside the interval, in (0, 1).
        resamples: how many times the sample is drawn anew, with replacement.
        seed: the same seed gives the same interval.

    Returns:
        Lower and upper end; NaN both when there are no values.
    """
    sample = np.asarray(values, np.float64)
    if len(sample) == 0:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(len(sample), size=(resamples, len(sample)))
    results = np.sort([statistic(sample[indices]) for indices in drawn])
    # Order statistics, not interpolation: an interpolation between infinities would be NaN.
    outside = (1.0 - level) / 2.0
    low = int(np.floor(outside * (resamples - 1)))
    high = int(np.ceil((1.0 - outside) * (resamples - 1)))
    return float(results[low]), float(results[high])


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson 1927), honest for few trials and near 0 and 1.

    Args:
        successes: how many of the trials succeeded.
        trials: how many there were.

    Returns:
        Lower and upper end in [0, 1]; 0 and 1 without trials.
    """
    if trials == 0:
        return 0.0, 1.0
    z = 1.959964
    share = successes / trials
    centre = share + z**2 / (2 * trials)
    reach = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    return max(0.0, float((centre - reach) / scale)), min(1.0, float((centre + reach) / scale))


def auc_figures(errors: Sequence[float], thresholds: Sequence[float]) -> tuple[AucFigure, ...]:
    """Areas under the recall curve of errors, with their bootstrap intervals."""
    figures = []
    for threshold in thresholds:

        def area(sample: Sequence[float], threshold: float = threshold) -> float:
            return area_under_curve(sample, threshold)

        figures.append(AucFigure(threshold, area(errors), *bootstrap_interval(errors, area)))
    return tuple(figures)
