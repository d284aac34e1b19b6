"""The quality of a run of odometry: counts, times, and errors where the truth is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.recordings.trajectories.errors import (
    SegmentErrors,
    StepErrors,
    segment_errors,
    segment_lengths,
    step_errors,
)
from coarse_loftr_ros.recordings.trajectories.evo_errors import EvoErrors, evo_errors
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory, associate, scale_between
from coarse_loftr_ros.recordings.trajectories.visual_odometry import OdometryRun

__all__ = ["PathErrors", "PathReport", "Percentiles", "path_errors", "path_report"]


@dataclass(frozen=True)
class Percentiles:
    """Of a time per image.

    Attributes:
        median: milliseconds.
        p95: milliseconds.
    """

    median: float
    p95: float


@dataclass(frozen=True)
class PathErrors:
    """Errors of a path whose truth is known.

    Attributes:
        poses: poses that have a true one.
        length_m: of the true path.
        scale: factor that made the estimate as long as the truth; 1 for a metric estimate, which
            is left as it is.
        segments: relative errors over parts of the path; ``None`` when it is too short.
        steps: errors from image to image.
        end_percent: distance of the last position from the true one, both paths begun alike, per
            cent of the path's length.
        evo: absolute and relative errors by evo; ``None`` where it is not installed.
    """

    poses: int
    length_m: float
    scale: float
    segments: SegmentErrors | None
    steps: StepErrors
    end_percent: float
    evo: EvoErrors | None


@dataclass(frozen=True)
class PathReport:
    """One run.

    Attributes:
        images: estimates.
        ok: estimates that are OK.
        degraded: estimates that are DEGRADED.
        lost: estimates that are LOST.
        why_lost: their most frequent reason, in words; empty when there is none.
        length: of the estimated path, metres or units.
        metric: whether all of its lengths are metres.
        match_ms: time of matching per image.
        odometry_ms: time of odometry per image.
        errors: where the truth is known.
    """

    images: int
    ok: int
    degraded: int
    lost: int
    why_lost: str
    length: float
    metric: bool
    match_ms: Percentiles
    odometry_ms: Percentiles
    errors: PathErrors | None


def path_report(
    run: OdometryRun, truth: Trajectory | None = None, tolerance_ns: int = 20_000_000
) -> PathReport:
    """Measure a run.

    The first image has no motion and its match nothing to match with: it counts for neither
    times nor status.

    Args:
        run: of at least two images.
        truth: of any rate, in any fixed frame, metric.
        tolerance_ns: largest difference of the stamps of an estimate and its truth.

    Raises:
        ValueError: when the run is too short, or truth and run have no times in common.
    """
    moved = run.estimates[1:]
    if not moved:
        raise ValueError("a path needs at least two images")
    status = [estimate.status for estimate in moved]
    metric = all(estimate.metric for estimate in moved)
    return PathReport(
        images=len(run.estimates),
        ok=status.count(Status.OK),
        degraded=status.count(Status.DEGRADED),
        lost=status.count(Status.LOST),
        why_lost=_most_frequent(each.reason for each in moved if each.status == Status.LOST),
        length=float(run.trajectory.distances[-1]),
        metric=metric,
        match_ms=_percentiles(run.match_ms[1:]),
        odometry_ms=_percentiles(run.odometry_ms[1:]),
        errors=None if truth is None else path_errors(run.trajectory, truth, metric, tolerance_ns),
    )


def path_errors(
    estimate: Trajectory, truth: Trajectory, metric: bool, tolerance_ns: int
) -> PathErrors:
    """Errors of a path.

    Args:
        estimate: of any scale.
        truth: metric.
        metric: whether the estimate's scale is measured too; otherwise the estimate is made as
            long as the truth before.
        tolerance_ns: largest difference of stamps.

    Raises:
        ValueError: when they have no times in common.
    """
    ours, true = (path.from_first() for path in associate(estimate, truth, tolerance_ns))
    scale = 1.0 if metric else scale_between(ours, true)
    scaled = ours.scaled(scale)
    length = float(true.distances[-1])
    gap = float(np.linalg.norm(scaled.positions[-1] - true.positions[-1]))
    try:
        evo = evo_errors(scaled, true, align_scale=not metric)
    except ModuleNotFoundError:
        evo = None
    return PathErrors(
        poses=len(ours),
        length_m=length,
        scale=scale,
        segments=segment_errors(scaled, true, segment_lengths(true)),
        steps=step_errors(ours, true),
        end_percent=100 * gap / length if length else np.inf,
        evo=evo,
    )


def _most_frequent(reasons: Iterable[str]) -> str:
    return next((reason for reason, _ in Counter(reasons).most_common(1)), "")


def _percentiles(values: np.ndarray) -> Percentiles:
    return Percentiles(float(np.median(values)), float(np.percentile(values, 95)))
