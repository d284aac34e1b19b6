"""Velocity from two estimates: its axes, and what its covariance means."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale
from coarse_loftr_ros.odometry.frames import mounting_of_camera
from coarse_loftr_ros.odometry.pose import Pose
from coarse_loftr_ros.odometry.settings import MotionSettings
from coarse_loftr_ros.odometry.velocity import velocity_between
from coarse_loftr_ros.result import Status

SETTINGS = MotionSettings()
MOUNTING = mounting_of_camera((0.4, -0.1, 0.3), (0.0, 0.3, 0.2))
SECOND = 1_000_000_000
NOTHING = np.zeros((6, 6))
twists = arrays(np.float64, 6, elements=st.floats(-1, 1))


def at(
    stamp: int,
    pose: Pose,
    reference_stamp: int,
    relative: Pose,
    covariance: NDArray[np.float64] = NOTHING,
) -> OdometryEstimate:
    return OdometryEstimate(
        stamp=stamp,
        reference_stamp=reference_stamp,
        pose=pose,
        covariance=NOTHING,
        relative=relative,
        relative_covariance=covariance,
        status=Status.OK,
        reason="",
        scale=Scale.METRIC,
        matches=0,
        landmarks=0,
        inliers=0,
        timing_ms=0.0,
    )


@given(twists, twists)
def test_a_constant_twist_of_the_robot_is_found_wherever_it_is(start, twist):
    first = Pose.exp(start)
    moved = MOUNTING.inverse @ Pose.exp(twist * 0.1) @ MOUNTING
    before = at(0, first, 0, Pose.identity())
    now = at(SECOND // 10, first @ moved, 0, moved)
    found = velocity_between(before, now, MOUNTING, SETTINGS)
    np.testing.assert_allclose(found.linear, twist[:3], atol=1e-8)
    np.testing.assert_allclose(found.angular, twist[3:], atol=1e-8)


@pytest.mark.parametrize("keyframe", [False, True], ids=["image before", "keyframe"])
def test_a_correction_of_the_path_is_no_motion(keyframe):
    moved = Pose.exp(np.array([0.0, 0.0, 0.1, 0.0, 0.01, 0.0]))
    correction = Pose(np.eye(3), np.array([0.02, 0.0, 0.0]))
    first = moved if keyframe else Pose.identity()
    before = at(0, first, -SECOND if keyframe else 0, first)
    now = at(SECOND // 10, correction @ first @ moved, before.reference_stamp, first @ moved)
    found = velocity_between(before, now, MOUNTING, SETTINGS)
    expected = velocity_between(
        before, dataclasses.replace(now, pose=first @ moved), MOUNTING, SETTINGS
    )
    np.testing.assert_allclose(found.linear, expected.linear, atol=1e-12)
    np.testing.assert_allclose(found.linear, 10 * (MOUNTING @ moved @ MOUNTING.inverse).log()[:3])


@pytest.mark.parametrize("keyframe", [False, True], ids=["image before", "keyframe"])
def test_covariance_is_that_of_the_velocity(keyframe):
    """Monte Carlo over measured motions whose errors have the stated covariance."""
    rng = np.random.default_rng(4)
    root = np.diag([0.01, 0.02, 0.03, 0.002, 0.003, 0.004])
    root[0, 3] = 0.005
    reference = Pose.exp(np.array([1.0, 2.0, 0.5, 0.3, -0.2, 0.6]))
    reference_stamp = -SECOND if keyframe else 0
    first = Pose.exp(np.array([0.4, 0.2, 1.0, 0.1, 0.2, -0.1])) if keyframe else Pose.identity()
    second = first @ Pose.exp(np.array([0.05, 0.0, 0.3, 0.02, 0.03, 0.01]))

    def measured(stamp: int, pose: Pose, error: NDArray[np.float64]) -> OdometryEstimate:
        turn = Pose.exp(np.r_[np.zeros(3), error[3:]]).rotation
        seen = Pose(turn @ pose.rotation, pose.translation + error[:3])
        return at(stamp, reference @ seen, reference_stamp, seen, root @ root.T)

    def twist(error_first: NDArray[np.float64], error_second: NDArray[np.float64]):
        before = measured(0, first, error_first if keyframe else np.zeros(6))
        now = measured(SECOND // 10, second, error_second)
        found = velocity_between(before, now, MOUNTING, SETTINGS)
        return np.r_[found.linear, found.angular], found.covariance

    exact, covariance = twist(np.zeros(6), np.zeros(6))
    errors = np.array(
        [twist(*(rng.standard_normal((2, 6)) @ root.T))[0] - exact for _ in range(1500)]
    )
    nees = np.einsum("ni,ij,nj->n", errors, np.linalg.inv(covariance), errors)
    assert nees.mean() == pytest.approx(6.0, rel=0.1)


@pytest.mark.parametrize("which", ["now", "before"])
def test_a_velocity_that_was_not_measured_is_as_uncertain_as_being_lost(which):
    moved = Pose(np.eye(3), np.array([0.0, 0.0, 2.0]))
    estimates = {
        "before": at(0, Pose.identity(), -1, moved),
        "now": at(SECOND, moved, -1, moved),
    }
    estimates[which] = dataclasses.replace(estimates[which], status=Status.LOST)
    found = velocity_between(**estimates, mounting=MOUNTING, settings=SETTINGS)
    deviation = np.sqrt(np.diag(found.covariance))
    np.testing.assert_allclose(deviation[:3], 2.0)
    np.testing.assert_allclose(deviation[3:], SETTINGS.lost_rate)


def test_the_first_image_has_no_velocity_and_says_so():
    found = velocity_between(None, at(0, Pose.identity(), 0, Pose.identity()), MOUNTING, SETTINGS)
    assert not found.linear.any()
    assert not found.angular.any()
    np.testing.assert_allclose(np.diag(found.covariance)[:3], SETTINGS.lost_speed**2)
