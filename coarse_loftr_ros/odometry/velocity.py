"""How fast the robot moves, from two estimates one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.odometry.estimate import OdometryEstimate
from coarse_loftr_ros.odometry.frames import base_covariance, base_in_odom
from coarse_loftr_ros.odometry.pose import Pose, compose_covariance, inverse_covariance
from coarse_loftr_ros.odometry.settings import MotionSettings
from coarse_loftr_ros.result import Status

__all__ = ["Velocity", "velocity_between"]


@dataclass(frozen=True, eq=False)
class Velocity:
    """A twist of the robot's frame, along that frame's axes.

    Attributes:
        linear: float64 [3], m/s.
        angular: float64 [3], rad/s.
        covariance: float64 [6, 6], of (linear, angular).
    """

    linear: NDArray[np.float64]
    angular: NDArray[np.float64]
    covariance: NDArray[np.float64]


def velocity_between(
    before: OdometryEstimate | None,
    now: OdometryEstimate,
    mounting: Pose,
    settings: MotionSettings,
) -> Velocity:
    """Mean velocity of the robot from one image to the next.

    The covariance is that of the measured motions. Where one of the two images was not connected
    with its reference, the velocity is a guess, and its standard deviation is the larger one of
    itself and ``lost_speed``, ``lost_rate``.

    Args:
        before: of the image before; ``None`` at the first one.
        now: of the image.
        mounting: the optical frame in the robot's frame.
        settings: of the odometry.
    """
    seconds = 0.0 if before is None else (now.stamp - before.stamp) / 1e9
    if seconds <= 0.0:
        return Velocity(np.zeros(3), np.zeros(3), _doubt(np.zeros(6), settings))
    measured = _measured(before, now)
    # Where the path was corrected in between (StereoSettings.window), poses differ by more than
    # the camera moved.
    moved, covariance = measured or (before.pose.inverse @ now.pose, None)
    base = base_in_odom(moved, mounting)
    twist = base.log() / seconds
    if covariance is None:
        doubt = _doubt(twist, settings)
    else:
        turn = np.zeros((6, 6))
        turn[:3, :3] = turn[3:, 3:] = base.rotation.T
        along = base_covariance(moved, covariance, mounting)
        doubt = turn @ along @ turn.T / seconds**2
    return Velocity(twist[:3], twist[3:], doubt)


def _measured(
    before: OdometryEstimate, now: OdometryEstimate
) -> tuple[Pose, NDArray[np.float64]] | None:
    """The camera now in the camera before, with its covariance; ``None`` if not measured."""
    if now.status == Status.LOST or now.stamp == now.reference_stamp:
        return None
    if now.reference_stamp == before.stamp:
        return now.relative, now.relative_covariance
    if before.status == Status.LOST or before.reference_stamp != now.reference_stamp:
        return None
    # Both were measured from one keyframe. Their errors are taken as independent; they share that
    # of the keyframe's points, so this is on the safe side.
    back = before.relative.inverse
    covariance = compose_covariance(
        back, inverse_covariance(before.relative, before.relative_covariance),
        now.relative, now.relative_covariance,
    )  # fmt: skip
    return back @ now.relative, covariance


def _doubt(twist: NDArray[np.float64], settings: MotionSettings) -> NDArray[np.float64]:
    speed = max(settings.lost_speed, float(np.linalg.norm(twist[:3])))
    rate = max(settings.lost_rate, float(np.linalg.norm(twist[3:])))
    return np.diag(np.repeat([speed**2, rate**2], 3))
