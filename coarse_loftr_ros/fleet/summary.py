"""What a recording is worth in a few numbers; the same numbers every time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.files.json_text import to_json
from coarse_loftr_ros.fleet.series import Series
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.recordings.frame_sets import FrameSets
from coarse_loftr_ros.recordings.source import Source
from coarse_loftr_ros.recordings.trajectories.path_report import path_errors
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory
from coarse_loftr_ros.recordings.trajectories.visual_odometry import OdometryRun

__all__ = ["summary_of"]

_TOLERANCE_NS = 20_000_000
_PATH_POINTS = 100


def summary_of(
    series: Series,
    run: OdometryRun | None,
    truth: Trajectory | None,
    source: Source,
    frame_sets: FrameSets,
) -> dict[str, Any]:
    """The numbers of a recording.

    Args:
        series: of its images.
        run: of the odometry, where there was one.
        truth: the true path, where it is known.
        source: that was read.
        frame_sets: that were made of it.
    """
    columns = {name: np.array(values, float) for name, values in series.columns.items()}
    stamps = np.array(series.columns["stamp"], np.int64)
    return {
        "images": frame_sets.images,
        "frame_sets": frame_sets.pairs,
        "start_ns": int(stamps[0]),
        "seconds": float(stamps[-1] - stamps[0]) / 1e9,
        "timed": source.timed,
        "matching": _matching(columns, stamps),
        "stereo": _stereo(columns, stamps),
        "odometry": None if run is None else _odometry(run, truth),
        "input": {
            "rejected": {
                cause: {"count": found.count, "example": found.example}
                for cause, found in source.report.rejected.items()
            },
            "notices": source.report.notices,
        },
    }


def _matching(columns: Mapping[str, NDArray], stamps: NDArray[np.int64]) -> dict[str, Any] | None:
    status = columns["status"]
    matched = np.isfinite(status)
    if not matched.any():
        return None
    lost = status == Status.LOST
    return {
        "matched": int(matched.sum()),
        "ok": int((status == Status.OK).sum()),
        "degraded": int((status == Status.DEGRADED).sum()),
        "lost": int(lost.sum()),
        "lost_share": float(lost.sum() / matched.sum()),
        "longest_loss_s": _longest(lost, stamps),
        "matches": float(np.median(columns["matches"][matched])),
        "inliers": float(np.median(columns["inliers"][matched])),
        "coverage": float(np.median(columns["coverage"][matched])),
    }


def _longest(lost: NDArray[np.bool_], stamps: NDArray[np.int64]) -> float:
    """Seconds from the last match before the longest run of LOST images to the first after it."""
    longest, before = 0.0, 0
    for index in range(len(lost)):
        if lost[index]:
            continue
        if index - before > 1:
            longest = max(longest, float(stamps[index] - stamps[before]) / 1e9)
        before = index
    if before < len(lost) - 1:
        longest = max(longest, float(stamps[-1] - stamps[before]) / 1e9)
    return longest


def _stereo(columns: Mapping[str, NDArray], stamps: NDArray[np.int64]) -> dict[str, Any] | None:
    """Matches of left with right, and how far their rows are apart: a calibration that drifts."""
    found = np.isfinite(columns["stereo_matches"])
    if not found.any():
        return None
    count, off = columns["stereo_matches"][found], columns["off_row"][found]
    return {
        "matches": float(np.median(count)),
        "off_row_share": float(off.sum() / max(1.0, (off + count).sum())),
        **_rows(columns["row_offset_px"], stamps),
    }


def _rows(offset: NDArray[np.float64], stamps: NDArray[np.int64]) -> dict[str, Any]:
    """How far the rows of left and right are apart, over the images that show it."""
    known = np.isfinite(offset)
    if not known.any():
        return {
            "row_offset_px": None,
            "row_offset_quartiles_px": None,
            "row_drift_px_per_min": None,
        }
    offset, minutes = offset[known], (stamps[known] - stamps[known][0]) / 6e10
    quarter, median, three = np.percentile(offset, (25, 50, 75))
    slope = float(np.polyfit(minutes, offset, 1)[0]) if len(offset) > 2 else None
    return {
        "row_offset_px": float(median),
        "row_offset_quartiles_px": [float(quarter), float(three)],
        "row_drift_px_per_min": slope,
    }


def _odometry(run: OdometryRun, truth: Trajectory | None) -> dict[str, Any]:
    moved = run.estimates[1:]
    status = [estimate.status for estimate in moved]
    metric = bool(moved) and all(estimate.metric for estimate in moved)
    path = run.trajectory
    index = np.unique(np.linspace(0, len(path) - 1, _PATH_POINTS).astype(np.int64))
    result: dict[str, Any] = {
        "metric": metric,
        "length": float(path.distances[-1]),
        "ok": status.count(Status.OK),
        "degraded": status.count(Status.DEGRADED),
        "lost": status.count(Status.LOST),
        "path": np.round(path.positions[index], 4).tolist(),
        "errors": None,
        "errors_lacking": "",
    }
    if truth is None:
        return result
    try:
        errors = path_errors(path, truth, metric, _TOLERANCE_NS)
    except ValueError as error:
        result["errors_lacking"] = str(error)
        return result
    segments = errors.segments
    drift = segments.mean_t_rel_percent if segments else errors.end_percent
    return {**result, "errors": to_json(errors), "drift_percent": to_json(drift)}
