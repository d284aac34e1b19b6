"""How fast the robot moves: measured from image to image, and what is said while it is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Step
from coarse_loftr_ros.odometry.frames import (
    UNKNOWN_VARIANCE,
    base_covariance,
    base_in_odom,
    without_lengths,
    without_lever,
)
from coarse_loftr_ros.odometry.settings import MotionSettings

__all__ = ["Velocity", "VelocityTracker"]

# A mean over more seconds than this is not taken for the velocity at their end.
_STEADY_S = 0.5


@dataclass(frozen=True, eq=False)
class Velocity:
    """A twist of the robot's frame, along that frame's axes.

    Attributes:
        linear: float64 [3], m/s; units/s where lengths are not metres.
        angular: float64 [3], rad/s.
        covariance: float64 [6, 6], of (linear, angular).
        linear_measured: whether ``linear`` was measured, in metres, from the image before to this
            one; otherwise it is the last one that was, or zero.
        angular_measured: the same of ``angular``.
    """

    linear: NDArray[np.float64]
    angular: NDArray[np.float64]
    covariance: NDArray[np.float64]
    linear_measured: bool
    angular_measured: bool


class VelocityTracker:
    """Takes the velocity from motions that were measured, and keeps it while none is.

    A measured velocity is the mean from the image before to this one, with the covariance of that
    motion. Where the two are more than half a second apart (images were dropped), the velocity at
    their end may be another: its deviation grows by half the last speed for each second more.

    Without a measured motion (the first image, LOST, or found again by a reference from before
    images that were LOST) the last measured velocity stays. Its standard deviation is the larger of
    the last speed and ``lost_speed`` (the last rate and ``lost_rate``), and grows by as much each
    second. A guess that is repeated with each image is still one guess: the k-th has k (k + 1)
    times that variance, so that all of them together inform a filter that takes them as independent
    as much as one would (the sum of 1 / (k (k + 1)) is 1). Before anything was measured the
    velocity is zero with ``UNKNOWN_VARIANCE``, because the robot may be moving. The linear one has
    that variance wherever lengths are not metres.

    Args:
        mounting: the optical frame in the robot's frame.
        settings: of the odometry.
    """

    def __init__(self, mounting: Pose, settings: MotionSettings) -> None:
        self._mounting = mounting
        self._linear = _Half(settings.lost_speed)
        self._angular = _Half(settings.lost_rate)
        self._metric = True

    def update(self, estimate: OdometryEstimate) -> Velocity:
        """The velocity at an image.

        Args:
            estimate: of each image, in order of time.
        """
        step, stamp, metric = estimate.step, estimate.stamp, estimate.metric
        linear, angular = self._linear, self._angular
        if metric != self._metric:
            linear.forget()
            self._metric = metric
        seen = step is not None and step.seen
        covariance = np.zeros((6, 6))
        if step is not None:
            twist, covariance = _mean(
                step, self._mounting if metric else without_lever(self._mounting)
            )
            covariance[3:, 3:] = angular.measured(
                twist[3:], covariance[3:, 3:], stamp, step.seconds
            )
        else:
            covariance[3:, 3:] = angular.guessed(stamp)
        if seen:
            covariance[:3, :3] = linear.measured(twist[:3], covariance[:3, :3], stamp, step.seconds)
        else:
            # A guess of one half has nothing to do with the other.
            covariance[:3, 3:] = covariance[3:, :3] = 0.0
            covariance[:3, :3] = linear.guessed(stamp)
        if not metric:
            covariance = without_lengths(covariance)
        return Velocity(linear.value, angular.value, covariance, seen and metric, step is not None)


class _Half:
    """The linear or the angular half of a twist, as it was measured last.

    Args:
        least: the least speed (rate) that is thought possible while nothing measures it, and by
            which it may change each second.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self.forget()

    def forget(self) -> None:
        """Nothing was measured yet."""
        self.value = np.zeros(3)
        self._covariance: NDArray[np.float64] | None = None
        self._stamp = self._guesses = 0

    @property
    def _possible(self) -> float:
        return max(self._least, float(np.linalg.norm(self.value)))

    def measured(
        self, value: NDArray[np.float64], covariance: NDArray[np.float64], stamp: int, over: float
    ) -> NDArray[np.float64]:
        """Take a mean over some seconds that end now; its covariance [3, 3] as what is now."""
        self.value, self._stamp, self._guesses = value, stamp, 0
        unsteady = 0.5 * self._possible * max(0.0, over - _STEADY_S)
        self._covariance = covariance + unsteady**2 * np.eye(3)
        return self._covariance

    def guessed(self, stamp: int) -> NDArray[np.float64]:
        """Covariance [3, 3] of the value when nothing measured it at an image."""
        if self._covariance is None:
            return UNKNOWN_VARIANCE * np.eye(3)
        self._guesses += 1
        deviation = self._possible * (1.0 + (stamp - self._stamp) / 1e9)
        repeated = self._guesses * (self._guesses + 1)
        added = min(repeated * deviation**2, UNKNOWN_VARIANCE)
        return self._covariance + added * np.eye(3)


def _mean(step: Step, mounting: Pose) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The robot's mean twist, float64 [6], with its covariance [6, 6], along its axes."""
    base = base_in_odom(step.pose, mounting)
    turn = np.zeros((6, 6))
    turn[:3, :3] = turn[3:, 3:] = base.rotation.T
    along = base_covariance(step.pose, step.covariance, mounting)
    return base.log() / step.seconds, turn @ along @ turn.T / step.seconds**2
