from itertools import pairwise

import numpy as np
import pytest
from odometry_scenes import CAMERA, Scene, error_vector, rotation_error_deg, stamp

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.estimate import Scale
from coarse_loftr_ros.odometry.frames import rotation_of_rpy
from coarse_loftr_ros.odometry.planar import PlanarOdometry
from coarse_loftr_ros.odometry.settings import PlanarSettings

ALTITUDE = 20.0
DOWN = (0.0, 0.0, 1.0)


def flight(count, climb=3.0, tilt_deg=6.0):
    """Cameras over the plane z = 0 of a world whose z points down; they fly at z = -20."""
    poses = []
    for k in range(count):
        t = k / 15
        angles = np.deg2rad(
            [tilt_deg * np.sin(1.2 * t), tilt_deg * np.sin(0.9 * t), 9.0 * np.sin(0.6 * t)]
        )
        height = ALTITUDE + climb * np.sin(0.7 * t)
        at = np.array([2.0 * t, 6.0 * np.sin(0.3 * t), -height])
        poses.append(Pose(rotation_of_rpy(*angles), at))
    return poses


def over(poses, seed=1, **faults):
    rng = np.random.default_rng(seed)
    ends = np.array([pose.translation for pose in poses])
    low, high = ends[:, :2].min(axis=0) - 16.0, ends[:, :2].max(axis=0) + 16.0
    count = int(np.prod(high - low) * 1.2)
    ground = np.column_stack([rng.uniform(low, high, (count, 2)), np.zeros(count)])
    return Scene(poses, ground, seed=seed, **faults)


def run(world, settings, keyframe=1, ranges=None):
    odometry = PlanarOdometry(CAMERA, settings)
    estimates = []
    reference = 0
    for k in range(len(world.poses)):
        if ranges is not None:
            odometry.external_range = ranges(k)
        if k == 0:
            estimates.append(odometry.update(None, stamp=stamp(0)))
            continue
        estimates.append(odometry.update(world.temporal(reference, k)))
        if k - reference >= keyframe:
            reference = k
    return estimates


def travelled(poses):
    return sum(np.linalg.norm(b.translation - a.translation) for a, b in pairwise(poses))


def drift(world, estimates):
    truth = world.truth(0, len(world.poses) - 1)
    error = error_vector(estimates[-1].pose, truth)[:3]
    return np.linalg.norm(error) / travelled(world.poses)


def test_two_hundred_images_over_a_landscape_drift_less_than_half_a_percent():
    world = over(flight(200), noise_px=0.15, outliers=0.15)
    settings = PlanarSettings(altitude_m=ALTITUDE, normal_sigma_deg=1.0)
    estimates = run(world, settings, keyframe=12)
    assert all(estimate.status == Status.OK for estimate in estimates)
    assert drift(world, estimates) < 0.005
    assert estimates[-1].scale is Scale.GROUND_PLANE


def test_without_noise_the_path_is_exact():
    world = over(flight(30))
    settings = PlanarSettings(altitude_m=ALTITUDE, normal_sigma_deg=1.0)
    truth = world.truth(0, 29)
    np.testing.assert_allclose(run(world, settings)[-1].pose.matrix, truth.matrix, atol=5e-3)


def test_the_covariance_is_that_of_the_errors():
    settings = PlanarSettings(altitude_m=ALTITUDE, covariance_scale=1.0, normal_sigma_deg=0.5)
    squares = []
    for seed in range(4):
        world = over(flight(9), seed, noise_px=0.3, outliers=0.1)
        for k, estimate in enumerate(run(world, settings)):
            if k:
                error = error_vector(estimate.relative, world.truth(k - 1, k))
                squares.append(error @ np.linalg.solve(estimate.relative_covariance, error))
    assert 3.5 < np.mean(squares) < 9.0


def test_ranges_give_the_altitude():
    world = over(flight(40), noise_px=0.15)

    def ranged(k):
        pose = world.poses[k]
        return -pose.translation[2] / pose.rotation[2, 2]

    estimates = run(world, PlanarSettings(normal_sigma_deg=1.0), keyframe=8, ranges=ranged)
    assert drift(world, estimates) < 0.01
    assert {estimate.scale for estimate in estimates[1:]} == {Scale.EXTERNAL}


def test_without_altitude_the_unit_is_the_altitude_and_that_is_said():
    world = over(flight(10, tilt_deg=0.0), noise_px=0.1)
    estimates = run(world, PlanarSettings(normal_sigma_deg=1.0))
    assert estimates[-1].scale is Scale.UNIT
    assert estimates[-1].status == Status.DEGRADED
    assert "altitude is not known" in estimates[-1].reason
    truth = world.truth(0, 9).translation / ALTITUDE
    np.testing.assert_allclose(estimates[-1].pose.translation, truth, atol=2e-3)


@pytest.mark.parametrize("keyframe", [1, 4])
def test_the_first_range_makes_metres_of_the_whole_path(keyframe):
    world = over(flight(16), noise_px=0.1)

    def ranged(k):
        pose = world.poses[k]
        return None if k < 6 else -pose.translation[2] / pose.rotation[2, 2]

    settings = PlanarSettings(normal_sigma_deg=1.0)
    estimates = run(world, settings, keyframe=keyframe, ranges=ranged)
    assert [estimate.metric for estimate in estimates] == [True] + 5 * [False] + 10 * [True]
    for k in range(6, 16):
        assert estimates[k].scale is Scale.EXTERNAL
        error = error_vector(estimates[k].pose, world.truth(0, k))
        assert np.linalg.norm(error[:3]) < 0.05 * travelled(world.poses[: k + 1])
        sigma = np.sqrt(np.trace(estimates[k].covariance[:3, :3]))
        assert np.linalg.norm(error[:3]) < 3.0 * sigma


def test_a_robot_on_a_floor_keeps_its_height_and_its_tilt():
    poses = []
    for k in range(60):
        heading = 0.02 * k
        at = np.array([10 * np.sin(heading), 10 * (1 - np.cos(heading)), -ALTITUDE])
        poses.append(Pose(rotation_of_rpy(0.0, 0.0, heading), at))
    world = over(poses, noise_px=0.3)
    free = run(world, PlanarSettings(altitude_m=ALTITUDE))
    floor = run(world, PlanarSettings(altitude_m=ALTITUDE, constant_altitude=True))
    assert drift(world, floor) < 0.005
    assert drift(world, floor) < drift(world, free)
    assert abs(floor[-1].pose.translation[2]) < 0.02


def test_a_turn_over_the_plane_moves_nothing():
    poses = [
        Pose(rotation_of_rpy(0.0, 0.0, 0.03 * k), np.array([0.0, 0.0, -ALTITUDE]))
        for k in range(20)
    ]
    world = over(poses, noise_px=0.2)
    last = run(world, PlanarSettings(altitude_m=ALTITUDE))[-1]
    assert np.linalg.norm(last.pose.translation) < 0.1
    assert rotation_error_deg(last.pose, world.truth(0, 19)) < 0.2


def test_after_a_gap_it_goes_on_with_the_plane_it_knew():
    world = over(flight(30, climb=0.0), noise_px=0.1)
    odometry = PlanarOdometry(CAMERA, PlanarSettings(altitude_m=ALTITUDE, normal_sigma_deg=1.0))
    estimates = [odometry.update(None, stamp=stamp(0))]
    for k in range(1, 30):
        estimates.append(odometry.update(world.temporal(k - 1, k), lost=k in (10, 11, 12)))
    assert [e.status for e in estimates[10:14]] == [Status.LOST] * 3 + [Status.OK]
    error = error_vector(estimates[-1].pose, world.truth(0, 29))
    assert np.linalg.norm(error[:3]) < 3.0 * np.sqrt(np.trace(estimates[-1].covariance[:3, :3]))


def test_a_range_along_the_plane_says_nothing():
    poses = [Pose(np.eye(3), np.array([0.2 * k, 0.0, -ALTITUDE])) for k in range(3)]
    world = over(poses, noise_px=0.1)
    settings = PlanarSettings(altitude_m=ALTITUDE, normal=(0.0, 1.0, 0.0), normal_sigma_deg=1.0)
    odometry = PlanarOdometry(CAMERA, settings)
    odometry.external_range = 6.0
    estimate = odometry.update(None, stamp=stamp(0))
    odometry.external_range = 6.0
    estimate = odometry.update(world.temporal(0, 1))
    assert np.isfinite(estimate.pose.matrix).all()
    assert estimate.scale is not Scale.EXTERNAL


def test_bad_numbers_are_refused():
    with pytest.raises(ValueError, match="altitude_m is -2"):
        PlanarSettings(altitude_m=-2.0)
    with pytest.raises(ValueError, match="external_range is 0"):
        PlanarOdometry(CAMERA).external_range = 0.0
    with pytest.raises(ValueError, match="normal is"):
        PlanarSettings(normal=(0.0, float("nan"), 1.0))
