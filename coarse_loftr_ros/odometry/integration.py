"""Motions chained to a path: references, lost images, and what is not known while lost."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, compose_covariance, inverse_covariance
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale, Step
from coarse_loftr_ros.odometry.history import History
from coarse_loftr_ros.odometry.observations import StereoMatches, TemporalMatches
from coarse_loftr_ros.odometry.scale import LogLength
from coarse_loftr_ros.odometry.settings import MotionSettings

__all__ = ["IntegratedOdometry", "Motion", "Prediction"]


@dataclass(frozen=True, eq=False)
class Motion:
    """What a geometry says about the current camera in the reference camera.

    Attributes:
        pose: the current camera in the reference camera; the identity when LOST.
        covariance: float64 [6, 6] of ``pose``, along the axes of the reference camera.
        status: LOST when there is no estimate.
        reason: the status in words.
        scale: where the length comes from.
        landmarks: matches whose distance was known.
        inliers: matches that agree.
    """

    pose: Pose
    covariance: NDArray[np.float64]
    status: Status
    reason: str
    scale: Scale
    landmarks: int
    inliers: int

    @staticmethod
    def lost(reason: str, landmarks: int = 0, inliers: int = 0) -> Motion:
        """No estimate."""
        nothing = np.zeros((6, 6))
        return Motion(Pose.identity(), nothing, Status.LOST, reason, Scale.NONE, landmarks, inliers)

    @property
    def seen(self) -> bool:
        """Whether the translation was: a turn alone bounds it by points of known distance only."""
        return self.scale is not Scale.NONE or self.landmarks > 0


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is expected of a motion before its matches are looked at.

    Attributes:
        predicted: the current camera in the reference camera, if the last motion goes on.
        previous: the camera of the image before in the reference camera.
        seconds: since the image before.
    """

    predicted: Pose
    previous: Pose
    seconds: float


@dataclass(frozen=True, eq=False)
class _State:
    """A camera in the first one, with its covariance."""

    stamp: int
    pose: Pose
    covariance: NDArray[np.float64]

    def measured_by(self, unit: LogLength) -> _State:
        """The same in metres, given the metres of a unit."""
        factor = np.repeat([unit.length, 1.0], 3)
        pose = Pose(self.pose.rotation, unit.length * self.pose.translation)
        covariance = self.covariance * np.outer(factor, factor)
        covariance[:3, :3] += unit.variance * np.outer(pose.translation, pose.translation)
        return _State(self.stamp, pose, covariance)


@dataclass(frozen=True, eq=False)
class _Measured:
    """The motion that the matches of an image gave."""

    stamp: int
    reference_stamp: int
    motion: Motion


class IntegratedOdometry(ABC):
    """Chains the motions that a geometry measures; see ``Odometry``.

    An image that could not be connected is where the last motion leads, with a covariance that
    grows with time; the next connected image goes on from there, so the path never jumps to a new
    origin, and its covariance keeps what was not seen.

    Args:
        settings: what all odometries share.
        metric: whether lengths can be metres at all. A geometry calls ``_use_arbitrary_unit``
            where it does not know them yet, and ``_set_unit`` once it does.
    """

    def __init__(self, settings: MotionSettings, metric: bool = True) -> None:
        self._motion_settings = settings
        self._may_be_metric = self._metric = metric
        self._states: History[_State] = History()
        self._latest: int | None = None
        # The last image whose motion was measured, and the last twist per second that was.
        self._anchor: _State | None = None
        self._velocity = np.zeros(6)
        self._before: _Measured | None = None

    @abstractmethod
    def _observe(self, stamp: int, stereo: StereoMatches | None, matched: bool) -> None:
        """Take what belongs to one image alone; whether the image has a reference."""

    @abstractmethod
    def _measure(self, temporal: TemporalMatches, prediction: Prediction) -> Motion:
        """The motion of these matches."""

    @abstractmethod
    def _forget(self, reference_stamp: int | None) -> None:
        """Drop what is older than the reference; everything when there is none."""

    def _refined(self, stamp: int, reference_stamp: int, motion: Motion) -> dict[int, Pose]:
        """Better poses of images by their stamps, once the current one has its pose."""
        return {}

    def reset(self) -> None:
        """See ``Odometry.reset``."""
        self._states.clear()
        self._latest = self._anchor = self._before = None
        self._velocity = np.zeros(6)
        self._metric = self._may_be_metric
        self._forget(None)

    def update(
        self,
        temporal: TemporalMatches | None,
        stereo: StereoMatches | None = None,
        *,
        stamp: int | None = None,
        lost: bool = False,
    ) -> OdometryEstimate:
        """See ``Odometry.update``."""
        begin = time.perf_counter()
        stamp = self._stamp_of(temporal, stereo, stamp)
        reference_stamp = stamp if temporal is None else temporal.reference_stamp
        unconnected = self._start(reference_stamp)
        previous = self._states.get(self._latest or reference_stamp)
        self._latest = stamp
        self._observe(stamp, stereo, temporal is not None)
        if temporal is None:
            motion = Motion(Pose.identity(), np.zeros((6, 6)), Status.OK, "", Scale.NONE, 0, 0)
        elif lost:
            motion = Motion.lost("the matcher is lost")
        else:
            reference = self._states.get(reference_stamp)
            motion = self._measure(temporal, self._prediction(stamp, reference, previous))
        step = self._step(_Measured(stamp, reference_stamp, motion))
        state = self._advance(stamp, self._states.get(reference_stamp), motion, step)
        self._correct(self._refined(stamp, reference_stamp, motion))
        status, reason = motion.status, motion.reason
        if unconnected:
            status = Status.LOST
            reason = f"{unconnected}; {reason}" if reason else unconnected
        self._states.forget_before(reference_stamp)
        self._forget(reference_stamp)
        return OdometryEstimate(
            stamp=stamp,
            reference_stamp=reference_stamp,
            pose=state.pose,
            covariance=state.covariance,
            relative=motion.pose,
            relative_covariance=(
                self._unseen((stamp - reference_stamp) / 1e9)
                if motion.status == Status.LOST
                else motion.covariance
            ),
            status=status,
            reason=reason,
            scale=motion.scale,
            matches=0 if temporal is None else len(temporal),
            landmarks=motion.landmarks,
            inliers=motion.inliers,
            timing_ms=(time.perf_counter() - begin) * 1e3,
            metric=self._metric,
            step=step,
        )

    def _use_arbitrary_unit(self) -> None:
        """From this motion on lengths are in a unit that is not known."""
        self._metric = False

    def _set_unit(self, metres: LogLength) -> None:
        """The unit of all motions so far is known now: the path becomes metres."""
        self._metric = True
        self._states.change(lambda state: state.measured_by(metres))
        if self._anchor is not None:
            self._anchor = self._anchor.measured_by(metres)
        self._velocity[:3] *= metres.length
        if self._before is not None:
            # Its length was that of another unit than this image's; the motion between the two,
            # where both have one keyframe, is not their difference.
            self._before = replace(self._before, motion=Motion.lost("in a unit"))

    def _stamp_of(
        self, temporal: TemporalMatches | None, stereo: StereoMatches | None, stamp: int | None
    ) -> int:
        stamps = {
            name: value
            for name, value in (
                ("temporal", None if temporal is None else temporal.stamp),
                ("stereo", None if stereo is None else stereo.stamp),
                ("stamp", stamp),
            )
            if value is not None
        }
        if not stamps:
            raise ValueError("an image without matches needs its stamp")
        if len(set(stamps.values())) > 1:
            text = ", ".join(f"{name} {value}" for name, value in stamps.items())
            raise ValueError(f"stamps differ: {text}; they must be those of one image")
        found = next(iter(stamps.values()))
        if temporal is not None and temporal.reference_stamp >= found:
            raise ValueError(
                f"stamp is {found}; it must be later than that of its reference, "
                f"{temporal.reference_stamp}"
            )
        if self._latest is not None and found <= self._latest:
            raise ValueError(
                f"stamp is {found}; it must be later than the one before, {self._latest}, "
                "or odometry must be reset"
            )
        return found

    def _start(self, reference_stamp: int) -> str:
        """Make sure that the reference has a pose; why that is a prediction, if it is one."""
        if reference_stamp in self._states:
            return ""
        if self._anchor is None:
            state = _State(reference_stamp, Pose.identity(), np.zeros((6, 6)))
            self._anchor = state
        else:
            state = self._predict(reference_stamp)
        self._states[reference_stamp] = state
        if state is self._anchor:
            return ""
        return f"the image at {reference_stamp / 1e9:.3f} s is not connected with the ones before"

    def _prediction(self, stamp: int, reference: _State, previous: _State | None) -> Prediction:
        # The image before may be older than a reference that nothing connects with it.
        previous = previous or reference
        into_reference = reference.pose.inverse
        return Prediction(
            into_reference @ self._predict(stamp).pose,
            into_reference @ previous.pose,
            (stamp - previous.stamp) / 1e9,
        )

    def _step(self, now: _Measured) -> Step | None:
        """The motion since the image before, if the matches of both measured it."""
        before, self._before = self._before, now
        lost = now.motion.status == Status.LOST
        if before is None or lost or now.stamp == now.reference_stamp:
            return None
        seconds = (now.stamp - before.stamp) / 1e9
        motion = now.motion
        if now.reference_stamp == before.stamp:
            return Step(motion.pose, motion.covariance, seconds, motion.seen)
        first = before.motion
        if first.status == Status.LOST or now.reference_stamp != before.reference_stamp:
            return None
        # Both were measured from one keyframe. Their errors are taken as independent; they share
        # that of the keyframe's points, so this is on the safe side.
        back = first.pose.inverse
        covariance = compose_covariance(
            back, inverse_covariance(first.pose, first.covariance), motion.pose, motion.covariance
        )
        return Step(back @ motion.pose, covariance, seconds, first.seen and motion.seen)

    def _advance(self, stamp: int, reference: _State, motion: Motion, step: Step | None) -> _State:
        """The state of the current image."""
        if motion.status == Status.LOST:
            state = self._predict(stamp)
        else:
            covariance = compose_covariance(
                reference.pose, reference.covariance, motion.pose, motion.covariance
            )
            state = _State(stamp, reference.pose @ motion.pose, covariance)
            self._anchor = state
        if step is not None:
            # Of what was measured alone: poses also differ by predictions and corrections.
            twist = step.pose.log() / step.seconds
            self._velocity = twist if step.seen else np.concatenate([self._velocity[:3], twist[3:]])
        self._states[stamp] = state
        return state

    def _correct(self, poses: dict[int, Pose]) -> None:
        """Go on from better poses; earlier estimates stay as they are."""
        for stamp, pose in poses.items():
            state = self._states.get(stamp)
            if state is not None:
                better = self._states[stamp] = replace(state, pose=pose)
                if stamp == self._anchor.stamp:
                    self._anchor = better

    def _predict(self, stamp: int) -> _State:
        """The last motion gone on for a while, then still."""
        settings, anchor = self._motion_settings, self._anchor
        seconds = (stamp - anchor.stamp) / 1e9
        # A reference that is older than the last image, and unknown, is not looked for in the past.
        step = Pose.exp(self._velocity * min(max(seconds, 0.0), settings.coast_s))
        unobserved = self._unseen(seconds)
        covariance = compose_covariance(anchor.pose, anchor.covariance, step, unobserved)
        return _State(stamp, anchor.pose @ step, covariance)

    def _unseen(self, seconds: float) -> NDArray[np.float64]:
        """Covariance [6, 6] of the motion in a time without measurements."""
        settings = self._motion_settings
        speed = max(settings.lost_speed, float(np.linalg.norm(self._velocity[:3])))
        rate = max(settings.lost_rate, float(np.linalg.norm(self._velocity[3:])))
        return np.diag(np.repeat([(speed * seconds) ** 2, (rate * seconds) ** 2], 3))
