"""The odometry node's work on /diagnostics."""

from __future__ import annotations

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus

from coarse_loftr_ros.node.common.diagnostics import status_message
from coarse_loftr_ros.node.common.input_diagnostics import Expectations
from coarse_loftr_ros.node.common.result_diagnostics import counts_and_times, work_message
from coarse_loftr_ros.node.common.statistics import Snapshot, grown
from coarse_loftr_ros.odometry.estimate import OdometryEstimate

__all__ = ["odometry_status"]

_UNITS = "in a unit of their own, not metres"


def odometry_status(
    node: str,
    mode: str,
    snapshot: Snapshot[OdometryEstimate],
    since: Snapshot[OdometryEstimate] | None,
    expected: Expectations,
) -> DiagnosticStatus:
    """What goes out: rates, times, and the quality of the latest estimate.

    Args:
        node: full name of the node.
        mode: stereo, mono or planar.
        snapshot: the numbers now.
        since: the numbers at the previous message.
        expected: of the correspondences.
    """
    values: dict[str, object] = {
        "mode": mode,
        "output rate (Hz)": f"{snapshot.output_hz:.1f}",
        "estimates": snapshot.counts.get("published", 0),
    }
    if mode == "stereo":
        values["without stereo matches"] = snapshot.counts.get("without stereo matches", 0)
    if mode == "planar":
        values["ranges out of limits"] = snapshot.counts.get("ranges out of limits", 0)
    values["linear velocity not measured"] = snapshot.counts.get("linear velocity not measured", 0)
    values |= counts_and_times(snapshot)
    estimate = snapshot.latest
    if estimate is not None:
        deviation = np.sqrt(np.diag(estimate.covariance))
        values["status"] = estimate.status.name
        values["scale"] = estimate.scale.value
        values["matches"] = estimate.matches
        values["landmarks"] = estimate.landmarks
        values["inliers"] = estimate.inliers
        values["lengths"] = "metres" if estimate.metric else _UNITS
        unit = "m" if estimate.metric else "units"
        values[f"position deviation ({unit})"] = f"{np.linalg.norm(deviation[:3]):.3f}"
        values["attitude deviation (rad)"] = f"{np.linalg.norm(deviation[3:]):.4f}"
    reason = "" if estimate is None else estimate.reason
    level, message = work_message(snapshot, since, expected, "waiting for correspondences", reason)
    if estimate is not None:
        if not estimate.metric:
            message = f"{message}; lengths are {_UNITS}"
        restarts = _restarts(snapshot, since)
        if restarts:
            level = max(level, DiagnosticStatus.WARN)
            message = f"started over since the last report ({restarts}), now {message}"
    return status_message(f"{node}: odometry", level, message, values)


def _restarts(snapshot: Snapshot, since: Snapshot | None) -> str:
    """Restarts that nobody asked for, by cause: the path began anew, which followers must know."""
    new = grown(snapshot.resets, since.resets if since else {})
    return ", ".join(f"{number} {cause}" for cause, number in new.items() if cause != "asked")
