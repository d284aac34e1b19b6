"""Which frames are matched with which."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.pairing import Consecutive, Keyframe, KeyframeRule, StereoPairing
from coarse_loftr_ros.result import Homography, Status

IMAGE = np.zeros((4, 4), np.uint8)


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


def run(left, right, tolerance, queue=4):
    """Feed both streams in order of time; the pairs of stamps that come out."""
    pairing = StereoPairing(tolerance, queue)
    events = sorted(
        [(s, 0, pairing.add_left) for s in left] + [(s, 1, pairing.add_right) for s in right]
    )
    pairs = [add(Frame(IMAGE, stamp=stamp)) for stamp, _, add in events]
    return [(a.stamp, b.stamp) for a, b in filter(None, pairs)], pairing


stamps = st.lists(st.integers(0, 1000), unique=True, max_size=30)


@given(stamps, stamps, st.integers(0, 50))
def test_pairs_are_within_the_tolerance_in_order_and_use_each_frame_once(left, right, tolerance):
    pairs, pairing = run(left, right, tolerance)
    assert all(abs(a - b) <= tolerance for a, b in pairs)
    assert pairs == sorted(pairs)
    assert len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs})
    assert pairing.unpaired_left <= len(left) - len(pairs)
    assert pairing.unpaired_right <= len(right) - len(pairs)


@given(st.lists(st.integers(0, 1000), unique=True, max_size=40), st.integers(-4, 4))
def test_synchronised_cameras_lose_nothing(ticks, skew):
    left = [tick * 100 for tick in ticks]
    pairs, pairing = run(left, [tick + skew for tick in left], tolerance=5)
    assert len(pairs) == len(ticks)
    assert pairing.unpaired_left == pairing.unpaired_right == 0


def test_a_dead_eye_does_not_fill_the_memory():
    _, pairing = run(range(1000), [], tolerance=5, queue=4)
    assert pairing.unpaired_left == 996


def test_clear_forgets_waiting_frames():
    pairing = StereoPairing(5)
    pairing.add_left(Frame(IMAGE, stamp=100))
    pairing.clear()
    assert pairing.add_right(Frame(IMAGE, stamp=100)) is None


@pytest.mark.parametrize("bad", [{"tolerance_ns": -1}, {"tolerance_ns": 0, "queue": 0}])
def test_a_pairing_that_makes_no_sense_is_refused(bad):
    with pytest.raises(ValueError, match="it must"):
        StereoPairing(**bad)
