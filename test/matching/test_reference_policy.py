"""Which frame is the reference of the next one."""

import numpy as np
import pytest

from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe, KeyframeRule
from coarse_loftr_ros.matching.result import Homography, Status


def homography(inliers=200, coverage=0.8, status=Status.OK):
    return Homography(np.eye(3), 300, inliers, inliers, 0.5, coverage, status)


def test_consecutive_always_moves_on():
    assert Consecutive().replace(homography(), 1)


def test_a_keyframe_that_is_seen_well_stays():
    assert Keyframe().replace(homography(), 1) == ""


@pytest.mark.parametrize(
    ("seen", "age", "why"),
    [
        (homography(inliers=79), 1, "inliers in 79 cells"),
        (homography(coverage=0.2), 1, "coverage 0.20"),
        (homography(), 60, "age 60"),
    ],
)
def test_a_keyframe_is_replaced_for_a_stated_reason(seen, age, why):
    assert why in Keyframe().replace(seen, age)


def test_age_zero_means_that_a_keyframe_never_grows_old():
    assert Keyframe(KeyframeRule(max_age=0)).replace(homography(), 10**6) == ""


def test_a_passing_disturbance_does_not_cost_the_keyframe():
    policy = Keyframe(KeyframeRule(lost_patience=3))
    lost = homography(0, 0.0, Status.LOST)
    assert policy.replace(lost, 1) == ""
    assert policy.replace(lost, 2) == ""
    assert policy.replace(homography(), 3) == ""
    assert policy.replace(lost, 4) == ""
    assert policy.replace(lost, 5) == ""
    assert "lost for 3 frames" in policy.replace(lost, 6)


@pytest.mark.parametrize(
    "bad", [{"min_coverage": 1.5}, {"min_inliers": -1}, {"max_age": -1}, {"lost_patience": 0}]
)
def test_rules_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        KeyframeRule(**bad)
