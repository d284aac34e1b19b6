"""What every odometry does with images that nothing connects; shown with the stereo one."""

from dataclasses import replace

import numpy as np
import pytest
from odometry_scenes import RIG, Scene, cloud, drive, stamp

from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.stereo import StereoOdometry

COUNT = 14


@pytest.fixture(scope="module")
def world():
    poses = drive(COUNT)
    return Scene(poses, cloud(poses, 2500, np.random.default_rng(0)), noise_px=0.2)


def follow(world, odometry, lost=(), keyframe=False):
    estimates = [odometry.update(None, world.stereo(0))]
    for k in range(1, COUNT):
        matches = world.temporal(0 if keyframe else k - 1, k)
        estimates.append(odometry.update(matches, world.stereo(k), lost=k in lost))
    return estimates


def steps(estimates):
    """Distances between the positions of neighbouring images."""
    positions = np.array([estimate.pose.translation for estimate in estimates])
    return np.linalg.norm(np.diff(positions, axis=0), axis=1)


def test_while_lost_the_last_motion_goes_on_and_the_covariance_grows(world):
    estimates = follow(world, StereoOdometry(RIG), lost=(5, 6, 7))
    for k in (5, 6, 7):
        assert estimates[k].status == Status.LOST
        assert estimates[k].reason == "the matcher is lost"
        assert not estimates[k].relative.translation.any()
        grown = estimates[k].covariance - estimates[k - 1].covariance
        assert (np.diag(grown) > 0).all()
        # Of the relative pose too, so that nobody takes its identity for a measurement.
        assert (np.diag(estimates[k].relative_covariance)[:3] > 0.35**2).all()
    assert estimates[8].status == Status.OK
    assert steps(estimates).max() < 1.3 * 0.4


def test_what_was_not_seen_stays_in_the_covariance(world):
    estimates = follow(world, StereoOdometry(RIG), lost=(5, 6))
    error = estimates[-1].pose.translation - world.poses[-1].translation
    sigma = np.sqrt(np.diag(estimates[-1].covariance)[:3])
    assert np.linalg.norm(error) < 3.0 * np.linalg.norm(sigma)
    assert np.linalg.norm(sigma) > 0.05


def test_a_keyframe_found_again_gives_the_true_pose_again(world):
    estimates = follow(world, StereoOdometry(RIG), lost=(5, 6), keyframe=True)
    assert estimates[6].status == Status.LOST
    np.testing.assert_allclose(estimates[7].pose.translation, world.poses[7].translation, atol=0.05)
    assert np.trace(estimates[7].covariance) < np.trace(estimates[6].covariance)
    assert steps(estimates).max() < 1.3 * 0.4


def test_after_a_while_the_prediction_stays_where_it_is(world):
    odometry = StereoOdometry(RIG)
    follow(world, odometry)
    far = [stamp(COUNT) + seconds * 10**9 for seconds in (1, 2, 3)]
    positions, traces = [], []
    for late in far:
        estimate = odometry.update(None, stamp=late)
        assert estimate.status == Status.LOST
        positions.append(estimate.pose.translation)
        traces.append(np.trace(estimate.covariance))
    assert traces == sorted(traces)
    # Half a second of 4 m/s, from where the prediction stood.
    assert np.linalg.norm(positions[0] - world.poses[-1].translation) < 2.2


def test_an_unknown_reference_is_said_and_does_not_jump(world):
    odometry = StereoOdometry(RIG)
    first = [odometry.update(None, world.stereo(0))]
    first += [odometry.update(world.temporal(k - 1, k), world.stereo(k)) for k in range(1, 5)]
    # Image 5 never arrived; image 6 is matched with it.
    gap = odometry.update(world.temporal(5, 6), world.stereo(6))
    assert gap.status == Status.LOST
    assert "is not connected with the ones before" in gap.reason
    after = odometry.update(world.temporal(6, 7), world.stereo(7))
    assert after.status == Status.OK
    assert steps([*first, gap]).max() < 3 * 0.4
    assert np.trace(after.covariance) > np.trace(first[-1].covariance)


def test_the_first_image_need_not_be_announced(world):
    odometry = StereoOdometry(RIG)
    # Its reference is the origin, though nothing is known of its distances.
    lost = odometry.update(world.temporal(0, 1))
    assert lost.status == Status.LOST
    assert "the reference has no stereo matches" in lost.reason
    assert np.isfinite(lost.covariance).all()
    # The next image knows its own.
    estimate = odometry.update(world.temporal(0, 2), world.stereo(2))
    np.testing.assert_allclose(estimate.pose.matrix, world.poses[2].matrix, atol=0.02)


def test_after_a_reset_the_next_image_is_the_origin(world):
    odometry = StereoOdometry(RIG)
    follow(world, odometry)
    odometry.reset()
    again = follow(world, odometry)
    np.testing.assert_array_equal(again[0].pose.matrix, np.eye(4))
    np.testing.assert_allclose(again[-1].pose.matrix, world.poses[-1].matrix, atol=0.1)


def test_nothing_is_ever_not_a_number(world):
    odometry = StereoOdometry(RIG)
    rng = np.random.default_rng(3)
    estimates = [odometry.update(None, world.stereo(0))]
    for k in range(1, COUNT):
        matches = world.temporal(k - 1, k)
        if k % 3 == 0:  # every match is wrong
            matches.current_points[:] = rng.uniform(0, 480, matches.current_points.shape)
        if k % 4 == 0:  # all points are one
            matches.current_points[:] = 100.0
        estimates.append(odometry.update(matches, world.stereo(k)))
    for estimate in estimates:
        for numbers in (estimate.pose.matrix, estimate.covariance, estimate.relative_covariance):
            assert np.isfinite(numbers).all()
        assert np.linalg.eigvalsh(estimate.covariance).min() > -1e-12


def test_memory_does_not_grow_with_the_path(world):
    odometry = StereoOdometry(RIG)
    matches, stereo = world.temporal(0, 1), world.stereo(1)
    odometry.update(None, world.stereo(0))

    for k in range(1, 60):
        odometry.update(replace(matches, stamp=stamp(k)), replace(stereo, stamp=stamp(k)))
    # A keyframe that stays: it and the latest images.
    assert len(odometry._states) <= 17


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda o, w: o.update(None), "needs its stamp"),
        (lambda o, w: o.update(w.temporal(0, 1), w.stereo(2)), "stamps differ"),
        (lambda o, w: o.update(None, stamp=stamp(0)), "must be later than the one before"),
        (lambda o, w: o.update(w.temporal(2, 1)), "later than that of its reference"),
    ],
)
def test_stamps_that_cannot_be_are_refused(world, call, sentence):
    odometry = StereoOdometry(RIG)
    odometry.update(None, world.stereo(0))
    with pytest.raises(ValueError, match=sentence):
        call(odometry, world)
