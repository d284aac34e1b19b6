"""The report of ``coarse-loftr odometry`` as text."""

from __future__ import annotations

from collections.abc import Sequence

from coarse_loftr_ros.commands.common.table import two_columns
from coarse_loftr_ros.recordings.trajectories.path_report import PathReport, Percentiles

__all__ = ["path_table"]


def path_table(report: PathReport, title: str, lacking: Sequence[tuple[str, str]] = ()) -> str:
    """What a run is worth, as aligned text.

    Args:
        report: of the run.
        title: above it.
        lacking: rows about images that took no part.
    """
    unit = "m" if report.metric else "units"
    rows = [
        ("images", str(report.images)),
        *lacking,
        ("OK / DEGRADED / LOST", f"{report.ok} / {report.degraded} / {report.lost}"),
        *([("LOST because", report.why_lost)] if report.why_lost else []),
        ("length of the path", f"{report.length:.2f} {unit}"),
        *([] if report.metric else [("unit of length", "one of its own, not metres")]),
        ("matching per image", _milliseconds(report.match_ms)),
        ("odometry per image", _milliseconds(report.odometry_ms)),
    ]
    errors = report.errors
    if errors is not None:
        rows.append(("true length", f"{errors.length_m:.2f} m, {errors.poses} poses"))
        if not report.metric:
            rows.append(("made as long by the factor", f"{errors.scale:.4g}"))
        parts = errors.segments
        if parts is not None:
            for length, t_rel, r_rel, count in zip(
                parts.lengths_m, parts.t_rel_percent, parts.r_rel_deg_per_m, parts.segments,
                strict=True,
            ):  # fmt: skip
                name = f"t_rel, r_rel over {length:g} m"
                rows.append((name, f"{t_rel:.2f} %, {r_rel:.4f} deg/m ({count} parts)"))
            rows.append(
                ("t_rel, r_rel, all parts",
                 f"{parts.mean_t_rel_percent:.2f} %, {parts.mean_r_rel_deg_per_m:.4f} deg/m")
            )  # fmt: skip
        steps = errors.steps
        rows.append(("rotation, image to image", f"{steps.median_rotation_deg:.3f} deg, median"))
        if steps.median_direction_deg is not None:
            rows.append(("direction", f"{steps.median_direction_deg:.2f} deg, median"))
        rows.append(("distance at the end", f"{errors.end_percent:.2f} % of the path"))
        if errors.evo is not None:
            evo = errors.evo
            rows += [
                ("APE (evo, aligned)",
                 f"none: {evo.lacking}" if evo.ape_rmse_m is None
                 else f"{evo.ape_rmse_m:.3f} m rmse, {evo.ape_max_m:.3f} m max"),
                ("RPE (evo)", f"{evo.rpe_translation_rmse_m:.4f} m, "
                 f"{evo.rpe_rotation_rmse_deg:.4f} deg rmse"),
            ]  # fmt: skip
    return two_columns(rows, title)


def _milliseconds(times: Percentiles) -> str:
    return f"{times.median:.1f} ms median, {times.p95:.1f} ms p95"
