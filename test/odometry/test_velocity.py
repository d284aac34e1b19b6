"""Velocity: what is measured, what is guessed, its axes, and what its covariance means."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from odometry_scenes import CAMERA, RIG, Scene, cloud, drive, stamp

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale, Step
from coarse_loftr_ros.odometry.frames import UNKNOWN_VARIANCE, mounting_of_camera
from coarse_loftr_ros.odometry.integration import IntegratedOdometry
from coarse_loftr_ros.odometry.mono import MonoOdometry
from coarse_loftr_ros.odometry.settings import MotionSettings
from coarse_loftr_ros.odometry.stereo import StereoOdometry
from coarse_loftr_ros.odometry.velocity import Velocity, VelocityTracker

SETTINGS = MotionSettings()
MOUNTING = mounting_of_camera((0.4, -0.1, 0.3), (0.0, 0.3, 0.2))
LEVEL = mounting_of_camera((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
TENTH = 100_000_000
NOTHING = np.zeros((6, 6))
SPEED = 5.0
twists = arrays(np.float64, 6, elements=st.floats(-1, 1))


def at(number: int, step: Step | None = None, **changes) -> OdometryEstimate:
    """The estimate of an image; they are a tenth of a second apart."""
    estimate = OdometryEstimate(
        stamp=number * TENTH,
        reference_stamp=(number - 1) * TENTH,
        pose=Pose.identity(),
        covariance=NOTHING,
        relative=Pose.identity(),
        relative_covariance=NOTHING,
        status=Status.OK,
        reason="",
        scale=Scale.METRIC,
        matches=0,
        landmarks=0,
        inliers=0,
        timing_ms=0.0,
        step=step,
    )
    return dataclasses.replace(estimate, **changes)


def moved(
    twist: NDArray[np.float64],
    seconds: float = 0.1,
    covariance: NDArray[np.float64] = NOTHING,
    mounting: Pose = MOUNTING,
    seen: bool = True,
) -> Step:
    """What the camera of a robot with this twist measures."""
    camera = mounting.inverse @ Pose.exp(twist * seconds) @ mounting
    return Step(camera, covariance, seconds, seen)


def deviation(velocity: Velocity) -> NDArray[np.float64]:
    return np.sqrt(np.diag(velocity.covariance))


@given(twists)
def test_a_constant_twist_of_the_robot_is_found(twist):
    found = VelocityTracker(MOUNTING, SETTINGS).update(at(1, moved(twist)))
    np.testing.assert_allclose(found.linear, twist[:3], atol=1e-8)
    np.testing.assert_allclose(found.angular, twist[3:], atol=1e-8)
    assert found.linear_measured
    assert found.angular_measured


def test_before_anything_was_measured_the_robot_may_be_moving():
    tracker = VelocityTracker(MOUNTING, SETTINGS)
    for number in range(3):
        found = tracker.update(at(number))
        assert not found.linear.any()
        assert not found.angular.any()
        np.testing.assert_array_equal(np.diag(found.covariance), UNKNOWN_VARIANCE)
        assert not found.linear_measured
        assert not found.angular_measured


@pytest.mark.parametrize("speed", [0.01, 5.0])
def test_while_nothing_is_measured_the_last_twist_stays_and_is_ever_less_sure(speed):
    twist = np.array([speed, 0.0, 0.0, 0.0, 0.0, 0.02])
    tracker = VelocityTracker(MOUNTING, SETTINGS)
    tracker.update(at(1, moved(twist)))
    guesses = [tracker.update(at(number)) for number in range(2, 40)]
    for guess in guesses:
        np.testing.assert_allclose(np.r_[guess.linear, guess.angular], twist, atol=1e-9)
        assert not guess.linear_measured
        assert not guess.angular_measured
    deviations = np.array([deviation(guess) for guess in guesses])
    assert (deviations[0, :3] > max(speed, SETTINGS.lost_speed)).all()
    assert (deviations[0, 3:] > SETTINGS.lost_rate).all()
    assert (np.diff(deviations, axis=0) > 0).all()
    again = tracker.update(at(40, moved(twist)))
    assert again.linear_measured
    assert deviation(again).max() < 1e-6


def test_a_guess_however_often_it_is_repeated_is_worth_one():
    """Information that a filter adds up when it takes all messages for independent."""
    for rate in (1, 10, 100):
        tracker = VelocityTracker(MOUNTING, SETTINGS)
        tracker.update(at(0, moved(np.array([SPEED, 0, 0, 0, 0, 0.0]))))
        stamps = (10**9 * np.arange(1, 20 * rate) // rate).tolist()
        guesses = [tracker.update(at(0, stamp=stamp)) for stamp in stamps]
        assert sum(1.0 / guess.covariance[0, 0] for guess in guesses) < 1.0 / SPEED**2


def test_hours_without_a_measurement_are_finite():
    tracker = VelocityTracker(MOUNTING, SETTINGS)
    tracker.update(at(1, moved(np.ones(6))))
    late = tracker.update(at(10**9))
    assert np.diag(late.covariance).max() <= 1.01 * UNKNOWN_VARIANCE


def test_a_turn_without_parallax_measures_the_rate_and_keeps_the_speed():
    tracker = VelocityTracker(LEVEL, SETTINGS)
    tracker.update(at(1, moved(np.array([SPEED, 0, 0, 0, 0, 0.1]), mounting=LEVEL)))
    turn = moved(np.array([0, 0, 0, 0, 0, 0.3]), mounting=LEVEL, seen=False)
    found = tracker.update(at(2, turn))
    np.testing.assert_allclose(found.linear, (SPEED, 0, 0), atol=1e-9)
    np.testing.assert_allclose(found.angular, (0, 0, 0.3), atol=1e-9)
    assert (found.linear_measured, found.angular_measured) == (False, True)
    assert deviation(found)[:3].min() > SPEED
    assert deviation(found)[3:].max() < 1e-6


def test_a_mean_over_a_gap_is_not_taken_for_the_velocity_at_its_end():
    twist = np.array([SPEED, 0, 0, 0, 0, 0.0])
    for seconds in (0.1, 0.5):
        found = VelocityTracker(LEVEL, SETTINGS).update(at(1, moved(twist, seconds)))
        assert deviation(found).max() < 1e-6
    late = VelocityTracker(LEVEL, SETTINGS).update(at(1, moved(twist, 2.0)))
    assert late.linear_measured
    # Enough for a robot that came to a stop meanwhile.
    assert 2 * deviation(late)[0] > SPEED


def test_without_metres_there_is_no_lever_arm_and_no_speed_that_a_filter_could_use():
    unit_m = 0.05
    twist = np.array([0, 0, 0, 0, 0, 0.5])  # on the spot, with the camera 0.4 m ahead
    camera = moved(twist).pose
    in_units = Pose(camera.rotation, camera.translation / unit_m)
    step = Step(in_units, 1e-4 * np.eye(6), 0.1, True)
    found = VelocityTracker(MOUNTING, SETTINGS).update(at(1, step, metric=False))
    np.testing.assert_allclose(found.angular, twist[3:], atol=1e-9)
    np.testing.assert_array_equal(np.diag(found.covariance)[:3], UNKNOWN_VARIANCE)
    assert not found.covariance[:3, 3:].any()
    assert (found.linear_measured, found.angular_measured) == (False, True)
    # The camera's own motion: 0.2 m/s to the left and 0.05 m/s ahead, in units.
    np.testing.assert_allclose(found.linear, (1.0, 4.0, 0.0), atol=1e-9)


def test_a_speed_in_units_is_forgotten_when_metres_are_known():
    tracker = VelocityTracker(LEVEL, SETTINGS)
    tracker.update(at(1, moved(np.full(6, 3.0), mounting=LEVEL), metric=False))
    found = tracker.update(at(2))
    assert not found.linear.any()
    np.testing.assert_array_equal(np.diag(found.covariance)[:3], UNKNOWN_VARIANCE)
    np.testing.assert_allclose(found.angular, 3.0)


def test_covariance_is_that_of_the_velocity():
    """Monte Carlo over measured motions whose errors have the stated covariance."""
    rng = np.random.default_rng(4)
    root = np.diag([0.01, 0.02, 0.03, 0.002, 0.003, 0.004])
    root[0, 3] = 0.005
    true = Pose.exp(np.array([0.05, 0.0, 0.3, 0.02, 0.03, 0.01]))

    def twist(error: NDArray[np.float64]):
        turn = Pose.exp(np.r_[np.zeros(3), error[3:]]).rotation
        seen = Pose(turn @ true.rotation, true.translation + error[:3])
        step = Step(seen, root @ root.T, 0.1, True)
        found = VelocityTracker(MOUNTING, SETTINGS).update(at(1, step))
        return np.r_[found.linear, found.angular], found.covariance

    exact, covariance = twist(np.zeros(6))
    errors = np.array([twist(root @ rng.standard_normal(6))[0] - exact for _ in range(1500)])
    nees = np.einsum("ni,ij,nj->n", errors, np.linalg.inv(covariance), errors)
    assert nees.mean() == pytest.approx(6.0, rel=0.1)


COUNT = 34
DARK = range(8, 20)


@pytest.fixture(scope="module")
def ahead() -> Scene:
    """5 m/s straight ahead."""
    poses = drive(COUNT, step=0.5, turn_deg=0.0)
    return Scene(poses, cloud(poses, 5000, np.random.default_rng(0)), noise_px=0.2)


def follow(
    odometry: IntegratedOdometry, world: Scene, keyframe: int | None = None
) -> list[tuple[OdometryEstimate, Velocity]]:
    """Each image with the one before it, or with a keyframe from image ``keyframe`` on."""
    tracker = VelocityTracker(LEVEL, SETTINGS)
    said = []
    for k in range(len(world.poses)):
        reference = k - 1 if keyframe is None or k <= keyframe else keyframe
        stereo = world.stereo(k) if isinstance(odometry, StereoOdometry) else None
        temporal = world.temporal(reference, k) if k else None
        estimate = odometry.update(temporal, stereo, stamp=stamp(k), lost=k in DARK)
        said.append((estimate, tracker.update(estimate)))
    return said


def test_found_again_by_an_old_keyframe_is_no_velocity_until_two_motions_are_measured(ahead):
    said = follow(StereoOdometry(RIG), ahead, keyframe=7)
    estimates, velocities = zip(*said, strict=True)
    first = DARK[-1] + 1
    assert estimates[first].status == Status.OK
    assert not velocities[first].linear_measured
    assert velocities[first + 1].linear_measured
    for velocity in velocities[1 : first + 2]:
        assert velocity.linear[0] == pytest.approx(SPEED, abs=0.4)
    assert deviation(velocities[first])[0] > SPEED


def test_after_images_that_were_lost_the_prediction_goes_on_with_what_was_measured(ahead):
    """Not with the mean over a path that stood still in the dark."""
    odometry = StereoOdometry(RIG)
    estimates = [estimate for estimate, _ in follow(odometry, ahead)]
    again = odometry.update(None, stamp=estimates[-1].stamp + TENTH)
    assert again.status == Status.LOST
    step = (estimates[-1].pose.inverse @ again.pose).translation
    assert np.linalg.norm(step) == pytest.approx(0.5, abs=0.03)


def test_a_correction_of_the_path_is_no_motion(ahead):
    odometry = StereoOdometry(RIG)
    odometry.update(None, ahead.stereo(0))
    odometry.update(ahead.temporal(0, 1), ahead.stereo(1))
    odometry._correct({stamp(1): Pose(np.eye(3), np.array([0.2, 0.0, 0.0]))})
    estimate = odometry.update(ahead.temporal(1, 2), ahead.stereo(2))
    velocity = VelocityTracker(LEVEL, SETTINGS).update(estimate)
    np.testing.assert_allclose(velocity.linear, (SPEED, 0.0, 0.0), atol=0.4)


def test_after_a_reset_the_first_image_says_nothing_of_the_velocity(ahead):
    odometry = StereoOdometry(RIG)
    follow(odometry, ahead)
    odometry.reset()
    first = odometry.update(None, ahead.stereo(0))
    assert first.step is None
    assert odometry.update(ahead.temporal(0, 1), ahead.stereo(1)).step.seconds == 0.1


def test_a_camera_that_turns_before_it_knows_a_distance_does_not_know_that_it_stands(ahead):
    turn = Pose.exp(np.array([0, 0, 0, 0, 0.02, 0]))
    poses = [Pose.identity()]
    for _ in range(3):
        poses.append(poses[-1] @ turn)
    world = dataclasses.replace(ahead, poses=poses)
    for estimate, velocity in follow(MonoOdometry(CAMERA), world)[1:]:
        assert estimate.scale is Scale.NONE
        assert (velocity.linear_measured, velocity.angular_measured) == (False, True)
        assert deviation(velocity)[0] ** 2 == pytest.approx(UNKNOWN_VARIANCE)
        np.testing.assert_allclose(velocity.angular, (0, 0, -0.2), atol=0.01)
