from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from odometry_scenes import (
    CAMERA,
    STEP_NS,
    Scene,
    angle_deg,
    cloud,
    drive,
    error_vector,
    rotation_error_deg,
    stamp,
)

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.camera_rays import tangent_basis
from coarse_loftr_ros.odometry.estimate import Scale
from coarse_loftr_ros.odometry.frames import rotation_of_rpy
from coarse_loftr_ros.odometry.mono import MonoOdometry
from coarse_loftr_ros.odometry.settings import MonoSettings, ScaleSource
from coarse_loftr_ros.odometry.two_views import fit_epipolar


def scene(count=12, points=2500, **faults):
    poses = drive(count)
    return Scene(poses, cloud(poses, points, np.random.default_rng(0)), **faults)


def run(scene, settings=None, keyframe=1, speed=None):
    odometry = MonoOdometry(CAMERA, settings)
    estimates = [odometry.update(None, stamp=stamp(0))]
    reference = 0
    for k in range(1, len(scene.poses)):
        odometry.external_speed = None if speed is None else speed(k)
        estimates.append(odometry.update(scene.temporal(reference, k)))
        if k - reference >= keyframe:
            reference = k
    return estimates


def lengths(poses):
    return np.array([np.linalg.norm(b.translation - a.translation) for a, b in pairwise(poses)])


def turning_on_the_spot(count, degrees=1.5):
    turn = rotation_of_rpy(0.0, np.deg2rad(degrees), 0.0)
    poses = [Pose.identity()]
    for _ in range(count - 1):
        poses.append(poses[-1] @ Pose(turn, np.zeros(3)))
    return poses


@pytest.mark.parametrize("keyframe", [1, 4])
def test_rotation_and_direction_are_right_and_the_first_motion_is_the_unit(keyframe):
    world = scene(noise_px=0.2, outliers=0.2)
    estimates = run(world, keyframe=keyframe)
    for k, estimate in enumerate(estimates[1:], 1):
        assert estimate.status == Status.OK, estimate.reason
        assert estimate.scale is Scale.UNIT
        assert rotation_error_deg(estimate.pose, world.poses[k]) < 0.3
        reference = round((estimate.reference_stamp - stamp(0)) / STEP_NS)
        truth = world.truth(reference, k)
        assert angle_deg(estimate.relative.translation, truth.translation) < 1.0
    relative = lengths([e.pose for e in estimates]) / lengths(world.poses)
    assert np.linalg.norm(estimates[1].pose.translation) == pytest.approx(1.0)
    # All motions are measured by the first one.
    np.testing.assert_allclose(relative / relative[0], 1.0, atol=0.08)


def test_a_turn_keeps_its_rotation_and_invents_no_translation():
    world = scene(noise_px=0.2)
    world = replace(world, poses=turning_on_the_spot(8))
    estimates = run(world)
    for k, estimate in enumerate(estimates[1:], 1):
        assert estimate.status == Status.DEGRADED
        assert "no parallax" in estimate.reason
        assert estimate.scale is Scale.NONE
        assert not estimate.pose.translation.any()
        assert rotation_error_deg(estimate.pose, world.poses[k]) < 0.2
        assert np.trace(estimate.covariance[:3, :3]) > 0


def test_standing_still_is_no_motion():
    world = scene(noise_px=0.2)
    last = run(replace(world, poses=[world.poses[0]] * 6))[-1]
    assert not last.pose.translation.any()
    assert rotation_error_deg(last.pose, Pose.identity()) < 0.1


def test_a_robot_that_turns_back_is_seen_to():
    world = scene(noise_px=0.2)
    matches = world.temporal(0, 1)
    into_current = world.truth(0, 1).inverse
    wrong = Pose(into_current.rotation, -into_current.translation)
    motion = fit_epipolar(matches.reference_points, matches.current_points, CAMERA, 1.5, wrong)
    assert angle_deg(motion.direction, into_current.translation) < 1.0


def test_the_unit_survives_a_turn_on_the_spot():
    ahead = drive(6, turn_deg=0.0)
    turn = [ahead[-1] @ p for p in turning_on_the_spot(4, 0.8)[1:]]
    again = [turn[-1] @ p for p in drive(6, turn_deg=0.0)[1:]]
    poses = [*ahead, *turn, *again]
    world = Scene(poses, cloud(poses, 4000, np.random.default_rng(2)), noise_px=0.1)
    estimates = run(world)
    relative = lengths([e.pose for e in estimates]) / np.maximum(lengths(poses), 1e-9)
    np.testing.assert_allclose(relative[-4:] / relative[1], 1.0, atol=0.12)
    assert np.linalg.norm(lengths([e.pose for e in estimates])[5:8]) < 0.2


def test_a_plane_is_followed():
    rng = np.random.default_rng(5)
    tilted = rotation_of_rpy(0.5, 0.2, 0.0)
    flat = np.column_stack([rng.uniform(-25, 25, (6000, 2)), np.zeros(6000)])
    step = Pose(rotation_of_rpy(0.0, 0.01, 0.005), np.array([0.5, 0.1, 0.3]))
    poses = [Pose.identity()]
    for _ in range(6):
        poses.append(poses[-1] @ step)
    world = Scene(poses, flat @ tilted.T + [0.0, 0.0, 12.0], noise_px=0.1)
    estimates = run(world)
    # At first two motions fit; it is said when a guess had to be made.
    for k in range(3, 7):
        assert rotation_error_deg(estimates[k].relative, world.truth(k - 1, k)) < 0.3
        assert angle_deg(estimates[k].relative.translation, step.translation) < 5.0


def test_an_external_speed_gives_metres():
    world = scene(noise_px=0.2)
    true = lengths(world.poses)
    estimates = run(
        world,
        MonoSettings(scale=ScaleSource.EXTERNAL),
        keyframe=3,
        speed=lambda k: true[k - 1] / (STEP_NS / 1e9),
    )
    assert {estimate.scale for estimate in estimates[1:]} == {Scale.EXTERNAL}
    error = error_vector(estimates[-1].pose, world.poses[-1])[:3]
    assert np.linalg.norm(error) < 0.03 * true.sum()


def test_without_the_speed_that_was_expected_the_length_is_reported_as_not_measured():
    estimates = run(scene(count=3), MonoSettings(scale=ScaleSource.EXTERNAL))
    assert estimates[1].status == Status.DEGRADED
    assert "length not measured" in estimates[1].reason


@pytest.mark.parametrize("keyframe", [1, 3])
@pytest.mark.parametrize("known_from", [2, 5])
def test_lengths_are_units_until_a_speed_comes_and_then_the_whole_path_is_metres(
    keyframe, known_from
):
    world = scene(noise_px=0.2)
    true = lengths(world.poses)
    estimates = run(
        world,
        MonoSettings(scale=ScaleSource.EXTERNAL),
        keyframe=keyframe,
        speed=lambda k: None if k < known_from else true[k - 1] / (STEP_NS / 1e9),
    )
    # Where nothing has moved yet there is no length that could be wrong.
    assert estimates[0].metric
    for estimate in estimates[1:known_from]:
        assert (estimate.metric, estimate.scale) == (False, Scale.UNIT)
        assert estimate.status == Status.DEGRADED
        assert "length not measured" in estimate.reason
    for k in range(known_from, len(estimates)):
        assert (estimates[k].metric, estimates[k].scale) == (True, Scale.EXTERNAL)
        error = error_vector(estimates[k].pose, world.poses[k])[:3]
        assert np.linalg.norm(error) < 0.05 * true[:k].sum()
        sigma = np.sqrt(np.trace(estimates[k].covariance[:3, :3]))
        assert np.linalg.norm(error) < 3.0 * sigma


def test_a_unit_that_never_becomes_metres_is_said():
    assert not any(estimate.metric for estimate in run(scene(count=4, noise_px=0.2)))
    again = MonoOdometry(CAMERA)
    again.reset()
    assert not again.update(None, stamp=stamp(0)).metric


def test_a_robot_that_stands_before_its_first_motion_is_where_it_began_in_metres():
    world = replace(scene(noise_px=0.2), poses=[Pose.identity()] * 5)
    settings = MonoSettings(scale=ScaleSource.EXTERNAL)
    assert all(estimate.metric for estimate in run(world, settings, speed=lambda k: 0.0))


def test_while_the_wheels_say_that_it_stands_what_looks_like_a_motion_makes_no_unit():
    settings = MonoSettings(scale=ScaleSource.EXTERNAL)
    estimates = run(scene(count=3, noise_px=0.2), settings, speed=lambda k: 0.0)
    for estimate in estimates:
        assert estimate.metric
        assert not estimate.pose.translation.any()
    assert estimates[-1].scale is Scale.NONE


def street(count: int, noise_px: float = 0.1) -> Scene:
    """Five of six points lie on the road, 1.5 m below the camera."""
    rng = np.random.default_rng(7)
    poses = drive(count, turn_deg=0.0)
    above = cloud(poses, 1500, rng)
    above = above[above[:, 1] < 1.0]
    ground = np.column_stack(
        [rng.uniform(-6, 6, 6000), np.full(6000, 1.5), rng.uniform(2, 25, 6000)]
    )
    return Scene(poses, np.concatenate([above, ground]), noise_px=noise_px)


@pytest.mark.parametrize("noise_px", [0.05, 0.1, 0.3])
def test_what_stands_beside_a_road_tells_the_motion_from_the_other_that_it_allows(noise_px):
    world = street(2, noise_px)
    estimate = run(world)[1]
    assert estimate.status == Status.OK, estimate.reason
    true = world.poses[1].translation
    along = estimate.pose.translation / np.linalg.norm(estimate.pose.translation)
    assert along @ true / np.linalg.norm(true) > np.cos(np.deg2rad(3.0))


def test_the_height_over_the_ground_gives_metres():
    world = street(10)
    poses = world.poses
    settings = MonoSettings(scale=ScaleSource.GROUND_PLANE, camera_height_m=1.5)
    estimates = run(world, settings)
    assert estimates[-1].scale is Scale.GROUND_PLANE
    travelled = lengths([e.pose for e in estimates]).sum()
    assert travelled == pytest.approx(lengths(poses).sum(), rel=0.03)


def test_before_the_ground_is_found_lengths_are_no_metres():
    world = street(8)
    settings = MonoSettings(scale=ScaleSource.GROUND_PLANE, camera_height_m=1.5)
    odometry = MonoOdometry(CAMERA, settings)
    estimates = [odometry.update(None, stamp=stamp(0))]
    above = world.points[:, 1:2] < 0.0
    sky = replace(world, points=np.where(above, world.points, np.nan))
    for k in range(1, 8):
        estimates.append(odometry.update((world if k > 3 else sky).temporal(k - 1, k)))
    assert [estimate.metric for estimate in estimates] == [True] + 3 * [False] + 4 * [True]
    true = world.poses[7].translation
    np.testing.assert_allclose(estimates[7].pose.translation, true, atol=0.05 * true[2])


def test_rotation_and_direction_are_as_sure_as_they_say():
    # Of the translation only the part perpendicular to it is measured: five numbers, mean 5.
    squares = []
    for seed in range(12):
        world = scene(count=2, points=900, noise_px=0.4, outliers=0.1, seed=seed)
        estimate = run(world, MonoSettings(covariance_scale=1.0))[1]
        truth = world.truth(0, 1)
        unit = Pose(truth.rotation, truth.translation / np.linalg.norm(truth.translation))
        five = np.zeros((5, 6))
        five[:2, :3] = tangent_basis(estimate.relative.translation).T
        five[2:, 3:] = np.eye(3)
        error = five @ error_vector(estimate.relative, unit)
        spread = five @ estimate.relative_covariance @ five.T
        squares.append(error @ np.linalg.solve(spread, error))
    assert 3.0 < np.mean(squares) < 7.5


def test_nothing_is_ever_not_a_number():
    world = scene(noise_px=0.2)
    odometry = MonoOdometry(CAMERA)
    rng = np.random.default_rng(3)
    for k in range(1, len(world.poses)):
        matches = world.temporal(k - 1, k)
        if k % 3 == 0:
            matches.current_points[:] = rng.uniform(0, 480, matches.current_points.shape)
        if k % 4 == 0:
            matches.current_points[:] = matches.reference_points
        if k % 5 == 0:
            matches.current_points[:] = 100.0
        estimate = odometry.update(matches)
        for numbers in (estimate.pose.matrix, estimate.covariance, estimate.relative_covariance):
            assert np.isfinite(numbers).all()


def test_the_same_matches_give_the_same_path():
    world = scene(noise_px=0.5, outliers=0.3)
    for one, other in zip(run(world), run(world), strict=True):
        np.testing.assert_array_equal(one.pose.matrix, other.pose.matrix)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="camera_height_m is not given"):
        MonoSettings(scale=ScaleSource.GROUND_PLANE)
    with pytest.raises(ValueError, match="down is"):
        MonoSettings(down=(0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="external_speed is -1"):
        MonoOdometry(CAMERA).external_speed = -1.0
    with pytest.raises(ValueError, match="fx is 0"):
        MonoOdometry(replace(CAMERA, fx=0.0))
