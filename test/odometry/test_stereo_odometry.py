from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from odometry_scenes import (
    CAMERA,
    RIG,
    STEP_NS,
    Scene,
    cloud,
    drive,
    error_vector,
    rotation_error_deg,
    stamp,
)

from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.estimate import Scale
from coarse_loftr_ros.odometry.observations import StereoMatches, StereoRig
from coarse_loftr_ros.odometry.settings import StereoSettings
from coarse_loftr_ros.odometry.stereo import StereoOdometry


def scene(count=12, points=2500, **faults):
    poses = drive(count)
    return Scene(poses, cloud(poses, points, np.random.default_rng(0)), **faults)


def run(scene, keyframe=1, settings=None, now=True):
    """Estimates of all images; every ``keyframe``-th one becomes the reference."""
    odometry = StereoOdometry(RIG, settings)
    estimates = [odometry.update(None, scene.stereo(0))]
    reference = 0
    for k in range(1, len(scene.poses)):
        stereo = scene.stereo(k) if now or k - reference >= keyframe else None
        estimates.append(odometry.update(scene.temporal(reference, k), stereo))
        if k - reference >= keyframe:
            reference = k
    return estimates


@pytest.mark.parametrize("keyframe", [1, 4])
def test_without_noise_the_path_is_exact(keyframe):
    world = scene()
    for truth, estimate in zip(world.poses, run(world, keyframe), strict=True):
        np.testing.assert_allclose(estimate.pose.matrix, truth.matrix, atol=2e-3)
        assert estimate.status == Status.OK


def test_with_noise_and_a_third_of_wrong_matches_the_drift_is_below_a_percent():
    world = scene(noise_px=0.3, outliers=0.33)
    last = run(world)[-1]
    travelled = 0.4 * (len(world.poses) - 1)
    error = error_vector(last.pose, world.poses[-1])
    assert np.linalg.norm(error[:3]) < 0.01 * travelled
    assert rotation_error_deg(last.pose, world.poses[-1]) < 0.2
    assert last.scale is Scale.METRIC


def test_the_covariance_is_that_of_the_errors():
    # The normalised squared error of six numbers has the mean 6.
    settings = StereoSettings(covariance_scale=1.0)
    squares = []
    for seed in range(6):
        world = scene(count=8, points=900, noise_px=0.4, outliers=0.1, seed=seed)
        for k, estimate in enumerate(run(world, settings=settings)):
            if k:
                error = error_vector(estimate.relative, world.truth(k - 1, k))
                squares.append(error @ np.linalg.solve(estimate.relative_covariance, error))
    assert 4.5 < np.mean(squares) < 8.5


def test_the_covariance_of_the_path_grows_from_zero():
    estimates = run(scene(noise_px=0.3))
    assert not estimates[0].covariance.any()
    traces = [np.trace(estimate.covariance) for estimate in estimates]
    assert all(after > before for before, after in pairwise(traces))


def test_the_right_eye_of_the_current_moment_makes_the_motion_surer():
    world = scene(points=1200, noise_px=0.3)
    with_it = np.mean([np.trace(e.relative_covariance[:3, :3]) for e in run(world, 3)[1:]])
    without = np.mean(
        [np.trace(e.relative_covariance[:3, :3]) for e in run(world, 3, now=False)[1:]]
    )
    assert with_it < without


def test_standing_still_is_no_motion():
    world = scene(count=2, noise_px=0.2)
    world = replace(world, poses=[world.poses[0]] * 4)
    last = run(world)[-1]
    assert last.status == Status.OK
    assert np.linalg.norm(last.pose.translation) < 0.02


def test_a_turn_on_the_spot_has_no_translation():
    world = scene(count=6, noise_px=0.2)
    turning = [type(p)(p.rotation, np.zeros(3)) for p in world.poses]
    last = run(replace(world, poses=turning))[-1]
    assert np.linalg.norm(last.pose.translation) < 0.02
    assert rotation_error_deg(last.pose, turning[-1]) < 0.1


def test_a_plane_is_as_good_as_any_scene():
    world = scene(count=6, noise_px=0.2)
    rng = np.random.default_rng(4)
    plane = np.column_stack([rng.uniform(-20, 20, (4000, 2)), np.full(4000, 12.0)])
    world = replace(world, points=plane)
    last = run(world)[-1]
    assert np.linalg.norm(error_vector(last.pose, world.poses[-1])[:3]) < 0.03


def test_the_same_matches_give_the_same_path():
    world = scene(noise_px=0.5, outliers=0.4)
    first, second = run(world), run(world)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.pose.matrix, other.pose.matrix)
        np.testing.assert_array_equal(one.covariance, other.covariance)


def test_principal_points_of_the_eyes_may_differ():
    world = scene(count=3)
    shifted = StereoRig(CAMERA, replace(CAMERA, cx=CAMERA.cx + 20.0), RIG.baseline_m)
    odometry = StereoOdometry(shifted)

    def stereo(k):
        seen = world.stereo(k)
        return replace(seen, right_points=seen.right_points + np.float32([20.0, 0.0]))

    odometry.update(None, stereo(0))
    estimate = odometry.update(world.temporal(0, 1), stereo(1))
    np.testing.assert_allclose(estimate.pose.matrix, world.poses[1].matrix, atol=2e-3)


def test_without_stereo_matches_of_the_reference_those_of_the_current_image_serve():
    world = scene(count=8, noise_px=0.3)
    odometry = StereoOdometry(RIG, StereoSettings(window=3))
    odometry.update(None, stamp=stamp(0))
    for k in (1, 2, 3):  # in the middle of a keyframe
        estimate = odometry.update(world.temporal(0, k), world.stereo(k))
        assert estimate.status == Status.DEGRADED
        assert estimate.reason.startswith("the reference has no stereo matches")
        np.testing.assert_allclose(estimate.pose.matrix, world.poses[k].matrix, atol=0.02)
        error = error_vector(estimate.relative, world.poses[k])
        assert error @ np.linalg.solve(estimate.relative_covariance, error) < 22.5  # 99.9 %
    after = odometry.update(world.temporal(3, 4), world.stereo(4))
    assert after.status == Status.OK
    np.testing.assert_allclose(after.pose.matrix, world.poses[4].matrix, atol=0.04)


def test_without_any_stereo_matches_it_is_lost():
    world = scene(count=3)
    odometry = StereoOdometry(RIG)
    odometry.update(None, stamp=stamp(0))
    estimate = odometry.update(world.temporal(0, 1))
    assert estimate.status == Status.LOST
    assert "no stereo matches" in estimate.reason


def test_few_landmarks_are_said():
    world = scene(points=38, count=2)
    estimate = run(world)[-1]
    assert estimate.status == Status.DEGRADED
    assert "inliers, fewer than 40" in estimate.reason
    assert run(scene(points=12, count=2))[-1].status == Status.LOST


def test_eyes_that_are_not_rectified_are_refused():
    with pytest.raises(ValueError, match="fx is 500 of the left camera and 510 of"):
        StereoRig(CAMERA, replace(CAMERA, fx=510.0), 0.3)
    with pytest.raises(ValueError, match=r"baseline_m is -0\.3.*swapped.*wrong sign"):
        StereoRig(CAMERA, CAMERA, -0.3)


def test_eyes_that_look_swapped_are_named_as_that():
    world = scene(count=2)
    swapped = [
        replace(each, left_points=each.right_points, right_points=each.left_points)
        for each in (world.stereo(0), world.stereo(1))
    ]
    odometry = StereoOdometry(RIG)
    odometry.update(None, swapped[0])
    estimate = odometry.update(world.temporal(0, 1), swapped[1])
    assert estimate.status == Status.LOST
    assert "disparities are negative: left and right look swapped" in estimate.reason


def test_a_reference_without_stereo_matches_is_named_as_that():
    world = scene(count=2)
    none = StereoMatches(
        stamp(0),
        *2 * [np.zeros((0, 2), np.float32)],
        np.zeros(0, np.float32),
        np.zeros(0, np.uint32),
    )
    odometry = StereoOdometry(RIG)
    odometry.update(None, none)
    estimate = odometry.update(world.temporal(0, 1), world.stereo(1))
    assert "are left and right swapped" in estimate.reason


def test_time_between_images_is_free():
    world = scene(count=3)
    odometry = StereoOdometry(RIG)
    odometry.update(None, world.stereo(0))
    late = stamp(1) + 7 * STEP_NS
    estimate = odometry.update(
        replace(world.temporal(0, 1), stamp=late), replace(world.stereo(1), stamp=late)
    )
    np.testing.assert_allclose(estimate.pose.matrix, world.poses[1].matrix, atol=2e-3)
