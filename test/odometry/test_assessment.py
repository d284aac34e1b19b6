"""Verdicts on a motion."""

from __future__ import annotations

import pytest

from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.assessment import assess
from coarse_loftr_ros.odometry.settings import MotionSettings

SETTINGS = MotionSettings(
    min_inliers=12, min_inlier_ratio=0.15, good_inliers=40, good_inlier_ratio=0.3
)


@pytest.mark.parametrize(
    ("inliers", "candidates", "status", "reason"),
    [
        (200, 250, Status.OK, ""),
        (11, 12, Status.LOST, "11 inliers, fewer than 12"),
        (31, 452, Status.LOST, "inlier ratio 0.07 below 0.15"),
        (30, 40, Status.DEGRADED, "30 inliers, fewer than 40"),
        (100, 500, Status.DEGRADED, "inlier ratio 0.20 below 0.30"),
        (0, 0, Status.LOST, "0 inliers, fewer than 12"),
    ],
)
def test_few_inliers_and_a_small_share_of_them_are_told(inliers, candidates, status, reason):
    assert assess(inliers, candidates, SETTINGS) == (status, reason)
