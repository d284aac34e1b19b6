"""A filter as a robot has it, fed by the odometry's velocity alone."""

from __future__ import annotations

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray

from coarse_loftr_ros.node.common.conversion import stamp_ns


class ConstantVelocityFilter:
    """A Kalman filter of position and velocity, for a robot that does not turn.

    It does as robot_localization with ``odom0_config`` true for vx, vy and vz: the linear velocity
    is taken as measured with the covariance that the message states, each message for independent.
    In the beginning the velocity may be anything, and the position is the origin.

    Args:
        acceleration: spectral density of the acceleration, m/s^2 per root Hz.
    """

    def __init__(self, acceleration: float = 1.0) -> None:
        self._acceleration = acceleration
        self._stamp: int | None = None
        self.state = np.zeros(6)
        self.covariance = np.diag([0.0] * 3 + [100.0**2] * 3)

    def take(self, message: Odometry) -> None:
        """Predict until the message's stamp, and correct by its velocity."""
        stamp = stamp_ns(message.header.stamp)
        seconds = 0.0 if self._stamp is None else (stamp - self._stamp) / 1e9
        self._stamp = stamp
        move = np.eye(6)
        move[:3, 3:] = seconds * np.eye(3)
        block = np.array([[seconds**3 / 3, seconds**2 / 2], [seconds**2 / 2, seconds]])
        noise = self._acceleration**2 * np.kron(block, np.eye(3))
        self.state = move @ self.state
        self.covariance = move @ self.covariance @ move.T + noise
        linear = message.twist.twist.linear
        spread = np.reshape(message.twist.covariance, (6, 6))[:3, :3]
        seen = np.eye(6)[3:]
        gain = self.covariance @ seen.T @ np.linalg.inv(seen @ self.covariance @ seen.T + spread)
        innovation = np.array([linear.x, linear.y, linear.z]) - self.state[3:]
        self.state = self.state + gain @ innovation
        rest = np.eye(6) - gain @ seen
        self.covariance = rest @ self.covariance @ rest.T + gain @ spread @ gain.T

    @property
    def velocity(self) -> NDArray[np.float64]:
        """In the robot's axes, float64 [3], m/s."""
        return self.state[3:]

    def within_three_sigmas(self, ahead: float, speed: float) -> bool:
        """Whether a robot on its x axis is where the filter thinks, as sure as it thinks.

        The speed ahead within three of its standard deviations, and all six numbers together within
        what one in ten thousand exceeds: some forty images of a drive are asked.
        """
        error = self.state - np.array([ahead, 0.0, 0.0, speed, 0.0, 0.0])
        covariance = self.covariance + 1e-9 * np.eye(6)  # the first position is exact
        together = float(error @ np.linalg.solve(covariance, error))
        return abs(error[3]) < 3.0 * np.sqrt(covariance[3, 3]) and together < 27.86
