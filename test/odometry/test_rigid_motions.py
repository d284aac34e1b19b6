import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.cameras.pose import (
    Pose,
    compose_covariance,
    exp_rotation,
    inverse_covariance,
    log_rotation,
)

reach = st.floats(-100.0, 100.0)
angle = st.floats(-3.0, 3.0)
turns = st.tuples(angle, angle, angle).map(np.array)
poses = st.builds(
    lambda turn, shift: Pose(exp_rotation(turn), np.array(shift)),
    turns,
    st.tuples(reach, reach, reach),
)


def moved(pose: Pose, error: np.ndarray) -> Pose:
    return Pose(exp_rotation(error[3:]) @ pose.rotation, pose.translation + error[:3])


def difference(pose: Pose, other: Pose) -> np.ndarray:
    turn = log_rotation(pose.rotation @ other.rotation.T)
    return np.concatenate([pose.translation - other.translation, turn])


@given(poses)
def test_a_pose_and_its_inverse_cancel(pose):
    np.testing.assert_allclose((pose @ pose.inverse).matrix, np.eye(4), atol=1e-9)


@given(poses)
def test_exp_undoes_log(pose):
    again = Pose.exp(pose.log())
    np.testing.assert_allclose(again.matrix, pose.matrix, atol=1e-6)


@given(turns)
def test_log_undoes_exp_within_half_a_turn(turn):
    length = np.linalg.norm(turn)
    turn = turn if length < np.pi - 1e-3 else turn * (3.0 / length)
    np.testing.assert_allclose(log_rotation(exp_rotation(turn)), turn, atol=1e-7)


@given(poses)
def test_a_quaternion_gives_the_same_rotation(pose):
    quaternion = pose.quaternion
    assert np.linalg.norm(quaternion) == pytest.approx(1.0)
    again = Pose.from_quaternion(quaternion, pose.translation)
    np.testing.assert_allclose(again.rotation, pose.rotation, atol=1e-9)


@given(poses, poses, st.tuples(reach, reach, reach).map(np.array))
def test_poses_chain_like_their_points(first, second, point):
    chained = (first @ second).apply(point[None])
    np.testing.assert_allclose(chained, first.apply(second.apply(point[None])), atol=1e-7)


@pytest.mark.parametrize("axis", range(3))
def test_half_a_turn_keeps_its_axis(axis):
    turn = np.pi * np.eye(3)[axis]
    np.testing.assert_allclose(np.abs(log_rotation(exp_rotation(turn))), np.abs(turn), atol=1e-9)


@given(poses, poses, st.integers(0, 2**32 - 1))
def test_covariances_follow_errors_through_a_product_and_an_inverse(first, second, seed):
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(2, 6)) * 1e-6
    # Of one single error e, the covariance is e e^T.
    ahead = difference(moved(first, errors[0]) @ moved(second, errors[1]), first @ second)
    zero = np.zeros((6, 6))
    by_first = difference(moved(first, errors[0]) @ second, first @ second)
    by_second = difference(first @ moved(second, errors[1]), first @ second)
    np.testing.assert_allclose(
        compose_covariance(first, np.outer(errors[0], errors[0]), second, zero),
        np.outer(by_first, by_first),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        compose_covariance(first, zero, second, np.outer(errors[1], errors[1])),
        np.outer(by_second, by_second),
        atol=1e-12,
    )
    np.testing.assert_allclose(ahead, by_first + by_second, atol=1e-9)
    back = difference(moved(first, errors[0]).inverse, first.inverse)
    np.testing.assert_allclose(
        inverse_covariance(first, np.outer(errors[0], errors[0])),
        np.outer(back, back),
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ("rotation", "translation", "sentence"),
    [
        (np.diag([1.0, 1.0, -1.0]), np.zeros(3), "not a rotation matrix"),
        (2.0 * np.eye(3), np.zeros(3), "not a rotation matrix"),
        (np.eye(3), np.array([0.0, np.nan, 0.0]), "not finite"),
        (np.eye(4), np.zeros(3), r"\(4, 4\)"),
    ],
)
def test_what_is_no_pose_is_refused(rotation, translation, sentence):
    with pytest.raises(ValueError, match=sentence):
        Pose(rotation, translation)


def test_long_products_stay_rotations():
    step = Pose(exp_rotation(np.array([0.3, -0.2, 0.7])), np.array([1.0, 2.0, 3.0]))
    pose = Pose.identity()
    for _ in range(20_000):
        pose = pose @ step
    np.testing.assert_allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-12)
