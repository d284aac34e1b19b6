"""The mask node's work on /diagnostics."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus

from coarse_loftr_ros.node.common.diagnostics import status_message
from coarse_loftr_ros.node.common.input_diagnostics import Expectations
from coarse_loftr_ros.node.common.result_diagnostics import counts_and_times, work_message
from coarse_loftr_ros.node.common.statistics import Snapshot
from coarse_loftr_ros.node.mask.masking import MadeMask

__all__ = ["masks_status"]


def masks_status(
    node: str,
    snapshot: Snapshot[MadeMask],
    since: Snapshot[MadeMask] | None,
    expected: Expectations,
    detector: str,
) -> DiagnosticStatus:
    """What goes out: rates, times per stage, and what the latest mask leaves out.

    Args:
        node: full name of the node.
        snapshot: the numbers now.
        since: the numbers at the previous message.
        expected: of the images.
        detector: name of its model.
    """
    values: dict[str, object] = {
        "output rate (Hz)": f"{snapshot.output_hz:.1f}",
        "masks": snapshot.counts.get("published", 0),
        "detections": snapshot.counts.get("detections", 0),
        "detector": detector,
    }
    values |= counts_and_times(snapshot)
    made = snapshot.latest
    if made is not None:
        values["things left out"] = made.things
        values["share left out"] = f"{made.share:.2f}"
    level, message = work_message(snapshot, since, expected, "waiting for an image", "")
    return status_message(f"{node}: masks", level, message, values)
