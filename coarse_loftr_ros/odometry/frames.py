"""Optical frames, body frames and the robot's own frame (REP-103, REP-105).

An optical frame has x right, y down, z forward; a body frame x forward, y left, z up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.odometry.pose import Pose, exp_rotation, skew

__all__ = [
    "OPTICAL_IN_BODY",
    "base_covariance",
    "base_in_odom",
    "mounting_of_camera",
    "rotation_of_rpy",
]

# Columns are the optical axes (right, down, forward) in the body frame of the same camera.
OPTICAL_IN_BODY = Pose(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3))


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
