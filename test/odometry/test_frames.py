import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odometry_scenes import error_vector

from coarse_loftr_ros.cameras.pose import Pose, exp_rotation
from coarse_loftr_ros.odometry.frames import (
    OPTICAL_IN_BODY,
    base_covariance,
    base_in_odom,
    mounting_of_camera,
    rotation_of_rpy,
)

short = st.floats(-3.0, 3.0)
triple = st.tuples(short, short, short)
poses = st.builds(
    lambda turn, shift: Pose(exp_rotation(np.array(turn)), np.array(shift)), triple, triple
)


def test_optical_axes_in_the_body_frame():
    right, down, forward = OPTICAL_IN_BODY.rotation.T
    np.testing.assert_array_equal(forward, [1, 0, 0])
    np.testing.assert_array_equal(right, [0, -1, 0])
    np.testing.assert_array_equal(down, [0, 0, -1])


def test_rpy_turns_about_fixed_axes_in_the_order_x_y_z():
    np.testing.assert_allclose(
        rotation_of_rpy(0.1, 0.2, 0.3),
        exp_rotation(np.array([0, 0, 0.3]))
        @ exp_rotation(np.array([0, 0.2, 0]))
        @ exp_rotation(np.array([0.1, 0, 0])),
    )


def test_a_camera_that_moves_along_its_axis_drives_the_robot_forward():
    ahead = Pose(np.eye(3), np.array([0.0, 0.0, 2.0]))
    base = base_in_odom(ahead, mounting_of_camera((0.5, 0.1, 1.2), (0.0, 0.0, 0.0)))
    np.testing.assert_allclose(base.translation, [2.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(base.rotation, np.eye(3), atol=1e-12)


def test_a_camera_that_turns_right_is_a_robot_that_yaws_negatively():
    # About the optical y axis, which points down.
    right = Pose(exp_rotation(np.array([0.0, 0.3, 0.0])), np.zeros(3))
    base = base_in_odom(right, mounting_of_camera((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    np.testing.assert_allclose(base.rotation, rotation_of_rpy(0.0, 0.0, -0.3), atol=1e-12)


def test_a_camera_that_looks_down_has_the_robots_front_on_top():
    mounting = mounting_of_camera((0.0, 0.0, 1.0), (0.0, np.pi / 2, 0.0))
    right, down, forward = mounting.rotation.T
    np.testing.assert_allclose(forward, [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(down, [-1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(right, [0, -1, 0], atol=1e-12)


@given(poses, poses)
def test_the_mounting_does_not_change_what_the_robot_did(base, mounting):
    camera = mounting.inverse @ base @ mounting
    np.testing.assert_allclose(base_in_odom(camera, mounting).matrix, base.matrix, atol=1e-8)


@given(poses, poses, st.integers(0, 2**32 - 1))
def test_the_covariance_of_the_base_is_that_of_its_error(camera, mounting, seed):
    error = np.random.default_rng(seed).normal(size=6) * 1e-6
    wrong = Pose(exp_rotation(error[3:]) @ camera.rotation, camera.translation + error[:3])
    of_base = error_vector(base_in_odom(wrong, mounting), base_in_odom(camera, mounting))
    np.testing.assert_allclose(
        base_covariance(camera, np.outer(error, error), mounting),
        np.outer(of_base, of_base),
        atol=1e-13,
    )


def test_a_mounting_needs_three_numbers():
    with pytest.raises(ValueError, match=r"\(2,\)"):
        mounting_of_camera((0.0, 1.0), (0.0, 0.0, 0.0))
