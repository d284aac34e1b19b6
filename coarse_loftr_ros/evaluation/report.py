"""Reports as aligned text and as data for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from coarse_loftr_ros.evaluation.homography import HomographyReport
from coarse_loftr_ros.evaluation.odometry import OdometryReport

__all__ = ["homography_table", "odometry_table", "text_table", "to_json"]


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of aligned columns: the first to the left, the others to the right.

    Args:
        header: names of the columns.
        rows: cells, as many per row as there are columns.
    """
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "  ".join([first, *rest]).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(lines[0]), rule, *(line(cells) for cells in lines[1:])])


def homography_table(report: HomographyReport) -> str:
    """AUC in per cent with its 95 % interval, median corner error, failures, matches, inliers."""
    thresholds = [figure.threshold_px for figure in report.summaries[0].auc]
    header = ["method", *(f"AUC@{threshold:g} px" for threshold in thresholds)]
    header += ["median px", "failed", "matches", "inliers"]
    rows = []
    for summary in report.summaries:
        row = [summary.method]
        for figure in summary.auc:
            value, low, high = (100 * part for part in (figure.value, figure.low, figure.high))
            row.append(f"{value:.1f} [{low:.0f}, {high:.0f}]")
        row.append(f"{summary.median_error_px:.2f}")
        row.append(f"{summary.failures}/{summary.pairs}")
        row += [f"{summary.median_matches:.0f}", f"{summary.median_inliers:.0f}"]
        rows.append(row)
    return text_table(header, rows)


def odometry_table(report: OdometryReport) -> str:
    """Median errors in degrees, the direction's 95 % interval, failures, matches, inliers."""
    header = ["method", "gap", "rotation deg", "direction deg", "failed", "matches", "inliers"]
    rows = [
        [
            summary.method,
            f"{summary.gap}",
            f"{summary.median_rotation_deg:.3f}",
            f"{summary.median_direction_deg:.2f} "
            f"[{summary.direction_low_deg:.2f}, {summary.direction_high_deg:.2f}]",
            f"{summary.failures}/{summary.pairs}",
            f"{summary.median_matches:.0f}",
            f"{summary.median_inliers:.0f}",
        ]
        for summary in report.summaries
    ]
    return text_table(header, rows)


def to_json(value: Any) -> Any:
    """A report, or a part of one, as dictionaries, lists, numbers and strings.

    JSON knows neither infinity nor NaN: an infinite error (a failure) becomes ``None``.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_json(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(f"a report holds a {type(value).__name__}, which has no place in JSON")
