"""Optical frames, body frames and the robot's own frame (REP-103, REP-105).

An optical frame has x right, y down, z forward; a body frame x forward, y left, z up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, exp_rotation, skew

__all__ = [
    "OPTICAL_IN_BODY",
    "UNKNOWN_VARIANCE",
    "base_covariance",
    "base_in_odom",
    "mounting_of_camera",
    "robot_pose",
    "rotation_of_rpy",
    "without_lengths",
    "without_lever",
]

# Columns are the optical axes (right, down, forward) in the body frame of the same camera.
OPTICAL_IN_BODY = Pose(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3))


UNKNOWN_VARIANCE = 1e9
"""Variance of what nothing is known of, m^2 or (m/s)^2, rad^2 or (rad/s)^2.

A standard deviation of 32 km: finite, because filters refuse what is not, and so large that
thousands of such messages do not move one.
"""


def rotation_of_rpy(roll: float, pitch: float, yaw: float) -> NDArray[np.float64]:
    """Rotation [3, 3] about fixed x, then y, then z, in radians: URDF's and tf2's ``rpy``."""
    about_x, about_y, about_z = (
        exp_rotation(angle * axis)
        for angle, axis in zip((roll, pitch, yaw), np.eye(3), strict=True)
    )
    return about_z @ about_y @ about_x


def mounting_of_camera(xyz: Sequence[float], rpy: Sequence[float]) -> Pose:
    """The optical frame in ``base_link``, from how the camera's BODY frame is mounted.

    ``rpy`` zero is a camera that looks forward; ``(0, pi/2, 0)`` one that looks straight down with
    the top of its image ahead.

    Args:
        xyz: position of the camera in ``base_link``, metres.
        rpy: roll, pitch and yaw of the camera's body frame in ``base_link``, radians.
    """
    return Pose(rotation_of_rpy(*rpy), np.asarray(xyz, np.float64)) @ OPTICAL_IN_BODY


def base_in_odom(camera: Pose, mounting: Pose) -> Pose:
    """``base_link`` in ``odom``, which is where ``base_link`` was at the first image.

    Args:
        camera: the camera's optical frame in that of the first image.
        mounting: the optical frame in ``base_link``; it does not change.
    """
    return mounting @ camera @ mounting.inverse


def base_covariance(
    camera: Pose, covariance: NDArray[np.float64], mounting: Pose
) -> NDArray[np.float64]:
    """Covariance [6, 6] of ``base_in_odom``, along the axes of ``odom``.

    Args:
        camera: the camera's optical frame in that of the first image.
        covariance: of ``camera``, float64 [6, 6], along the axes of the first image.
        mounting: the optical frame in ``base_link``.
    """
    base = base_in_odom(camera, mounting)
    turn = np.zeros((6, 6))
    turn[:3, :3] = turn[3:, 3:] = mounting.rotation
    lever = np.eye(6)
    # The camera is off the robot's centre: where the camera turns, the base moves.
    lever[:3, 3:] = skew(base.rotation @ mounting.translation)
    carry = lever @ turn
    return carry @ covariance @ carry.T


def robot_pose(
    camera: Pose, covariance: NDArray[np.float64], mounting: Pose, metric: bool
) -> tuple[Pose, NDArray[np.float64]]:
    """``base_link`` in ``odom`` with its covariance [6, 6], as far as lengths allow.

    Where lengths are not metres the robot's attitude is known all the same; its position is that of
    the camera along the axes of ``odom``, in units, because a lever arm in metres cannot be taken
    from it, and its variance is ``UNKNOWN_VARIANCE``.

    Args:
        camera: the camera's optical frame in that of the first image.
        covariance: of ``camera``, float64 [6, 6], along the axes of the first image.
        mounting: the optical frame in ``base_link``, metres.
        metric: whether the lengths of ``camera`` are metres.
    """
    if metric:
        return base_in_odom(camera, mounting), base_covariance(camera, covariance, mounting)
    turned = without_lever(mounting)
    spread = base_covariance(camera, covariance, turned)
    return base_in_odom(camera, turned), without_lengths(spread)


def without_lever(mounting: Pose) -> Pose:
    """The mounting of a camera in the middle of the robot, which is turned as this one is."""
    return Pose(mounting.rotation, np.zeros(3))


def without_lengths(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """A covariance [6, 6] of (translation, rotation) of which only the rotation's part holds."""
    known = np.zeros((6, 6))
    known[:3, :3] = UNKNOWN_VARIANCE * np.eye(3)
    known[3:, 3:] = covariance[3:, 3:]
    return known
