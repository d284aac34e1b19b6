"""The matcher's work on /diagnostics."""

from __future__ import annotations

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus

from coarse_loftr_ros.matching.result import Homography, MovingShare
from coarse_loftr_ros.node.common.diagnostics import status_message
from coarse_loftr_ros.node.common.input_diagnostics import Expectations
from coarse_loftr_ros.node.common.result_diagnostics import counts_and_times, work_message
from coarse_loftr_ros.node.common.statistics import Snapshot, grown

__all__ = ["mask_problems", "matching_status"]


def matching_status(
    node: str,
    snapshot: Snapshot[Homography],
    since: Snapshot[Homography] | None,
    expected: Expectations,
    backend: str,
    model: str,
    failure: str = "",
    busy: str = "",
    doing: str = "",
    moving: MovingShare | None = None,
) -> DiagnosticStatus:
    """What goes out: rates, times per stage, and the quality of the latest match.

    Args:
        node: full name of the node.
        snapshot: the numbers now.
        since: the numbers at the previous message.
        expected: of the images.
        backend: runtime, device and size in words.
        model: name and version of the network.
        failure: what the runtime's device failed of, which is an error even where another one
            has taken over; empty when nothing did.
        busy: slow work that keeps images waiting; empty when there is none.
        doing: what images that came are waiting for, in words; empty when for nothing.
        moving: what the latest match leaves out because it moves by itself; ``None`` where nobody
            asked for that.
    """
    values: dict[str, object] = {
        "output rate (Hz)": f"{snapshot.output_hz:.1f}",
        "matched": snapshot.counts.get("published", 0),
        "backend": backend,
        "model": model,
        "first references": snapshot.counts.get("first references", 0),
        "new references": snapshot.counts.get("new references", 0),
    }
    for name in ("stereo matches", "off their row", "pairs that look wrong"):
        if name in snapshot.counts:
            values[name] = snapshot.counts[name]
    values |= counts_and_times(snapshot)
    homography = snapshot.latest
    if homography is not None:
        values["status"] = homography.status.name
        values["inliers"] = f"{homography.inlier_count} of {homography.match_count}"
        values["rms (px)"] = f"{homography.rms_px:.2f}"
        values["coverage"] = f"{homography.coverage:.2f}"
    if moving is not None:
        values["left out as moving"] = moving.distrusted or f"{moving.share:.0%}"
    reason = "" if homography is None else homography.reason
    level, message = work_message(
        snapshot, since, expected, "waiting for a pair of images", reason, doing
    )
    new = grown(snapshot.counts, since.counts if since else {})
    if wrong := new.get("pairs that look wrong"):
        level = max(level, DiagnosticStatus.WARN)
        message = f"{wrong} stereo pairs look swapped or not rectified, see the log; {message}"
    if busy:
        level, message = DiagnosticStatus.WARN, f"images wait: {busy}"
    if failure:
        level, message = DiagnosticStatus.ERROR, f"{failure}; {message}"
        values["device failure"] = failure
    return status_message(f"{node}: matching", level, message, values)


def mask_problems(
    new: Mapping[str, int], delay_s: float | None, wait_s: float, silent: str
) -> list[str]:
    """What an operator should know of the masks, in sentences.

    Args:
        new: counts since the last report.
        delay_s: how long after their images the late masks came; ``None`` when none did.
        wait_s: how long images wait for theirs.
        silent: for how long no mask has come, and why; empty when they come.
    """
    if silent:
        return [f"no mask for {silent}"]
    problems = []
    if missing := new.get("without their mask"):
        problems.append(f"{missing} images matched without their mask")
    if (late := new.get("late masks")) and delay_s is not None:
        problems.append(
            f"{late} masks came {1e3 * delay_s:.0f} ms after their image (median), mask_wait is "
            f"{1e3 * wait_s:.0f} ms"
        )
    if stray := new.get("stray masks"):
        problems.append(f"{stray} masks have the stamp of no image")
    return problems
