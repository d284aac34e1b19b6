"""Status of a motion from how many matches agree with it."""

from __future__ import annotations

from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.settings import MotionSettings

__all__ = ["assess"]


def assess(inliers: int, candidates: int, settings: MotionSettings) -> tuple[Status, str]:
    """Status and reason of a motion.

    Args:
        inliers: measurements that agree.
        candidates: measurements that could have.
        settings: thresholds.
    """
    if inliers < settings.min_inliers:
        return Status.LOST, f"{inliers} inliers, fewer than {settings.min_inliers}"
    ratio = inliers / candidates
    if ratio < settings.min_inlier_ratio:
        # Some always agree with some motion by chance, the more the more there are.
        return Status.LOST, f"inlier ratio {ratio:.2f} below {settings.min_inlier_ratio:.2f}"
    reasons = []
    if inliers < settings.good_inliers:
        reasons.append(f"{inliers} inliers, fewer than {settings.good_inliers}")
    if ratio < settings.good_inlier_ratio:
        reasons.append(f"inlier ratio {ratio:.2f} below {settings.good_inlier_ratio:.2f}")
    return (Status.DEGRADED if reasons else Status.OK), "; ".join(reasons)
