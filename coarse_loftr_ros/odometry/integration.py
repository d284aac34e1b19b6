"""Motions chained to a path: references, lost images, and what is not known while lost."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale
from coarse_loftr_ros.odometry.observations import StereoMatches, TemporalMatches
from coarse_loftr_ros.odometry.pose import Pose, compose_covariance
from coarse_loftr_ros.odometry.settings import MotionSettings
from coarse_loftr_ros.result import Status

__all__ = ["History", "IntegratedOdometry", "Motion", "Outlook"]

# Images that are kept beside the reference: one of the latest becomes the next reference.
_RECENT = 16

Item = TypeVar("Item")


class History(Generic[Item]):
    """Things by stamp: those of the reference and of the latest images."""

    def __init__(self) -> None:
        self._items: dict[int, Item] = {}

    def __setitem__(self, stamp: int, item: Item) -> None:
        self._items[stamp] = item

    def __contains__(self, stamp: int) -> bool:
        return stamp in self._items

    def get(self, stamp: int) -> Item | None:
        """What is kept of this stamp, if anything."""
        return self._items.get(stamp)

    def forget_before(self, reference_stamp: int) -> None:
        """Drop what is older than the reference, and the oldest beyond a fixed number."""
        stamps = sorted(stamp for stamp in self._items if stamp >= reference_stamp)
        if len(stamps) > _RECENT:
            stamps = [stamps[0], *stamps[-_RECENT:]]
        self._items = {stamp: self._items[stamp] for stamp in stamps}

    def __len__(self) -> int:
        return len(self._items)

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()


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


@dataclass(frozen=True, eq=False)
class Outlook:
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


class IntegratedOdometry(ABC):
    """Chains the motions that a geometry measures; see ``Odometry``.

    An image that could not be connected is where the last motion leads, with a covariance that
    grows with time; the next connected image goes on from there, so the path never jumps to a new
    origin, and its covariance keeps what was not seen.
    """

    def __init__(self, settings: MotionSettings) -> None:
        self._motion_settings = settings
        self._states: History[_State] = History()
        self._latest: int | None = None
        # The last image whose motion was measured, and its twist per second from the one before.
        self._anchor: _State | None = None
        self._velocity = np.zeros(6)

    @abstractmethod
    def _observe(self, stamp: int, stereo: StereoMatches | None, matched: bool) -> None:
        """Take what belongs to one image alone; whether the image has a reference."""

    @abstractmethod
    def _measure(self, temporal: TemporalMatches, outlook: Outlook) -> Motion:
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
        self._latest = self._anchor = None
        self._velocity = np.zeros(6)
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
        reference = self._states.get(reference_stamp)
        if temporal is None:
            motion = Motion(Pose.identity(), np.zeros((6, 6)), Status.OK, "", Scale.NONE, 0, 0)
        elif lost:
            motion = Motion.lost("the matcher is lost")
        else:
            motion = self._measure(temporal, self._outlook(stamp, reference, previous))
        state = self._advance(stamp, reference, motion)
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
        )

    def _stamp_of(
        self, temporal: TemporalMatches | None, stereo: StereoMatches | None, stamp: int | None
    ) -> int:
        told = {
            name: value
            for name, value in (
                ("temporal", None if temporal is None else temporal.stamp),
                ("stereo", None if stereo is None else stereo.stamp),
                ("stamp", stamp),
            )
            if value is not None
        }
        if not told:
            raise ValueError("an image without matches needs its stamp")
        if len(set(told.values())) > 1:
            text = ", ".join(f"{name} {value}" for name, value in told.items())
            raise ValueError(f"stamps differ: {text}; they must be those of one image")
        found = next(iter(told.values()))
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

    def _outlook(self, stamp: int, reference: _State, previous: _State | None) -> Outlook:
        # The image before may be older than a reference that nothing connects with it.
        previous = previous or reference
        into_reference = reference.pose.inverse
        return Outlook(
            into_reference @ self._predict(stamp).pose,
            into_reference @ previous.pose,
            (stamp - previous.stamp) / 1e9,
        )

    def _advance(self, stamp: int, reference: _State, motion: Motion) -> _State:
        """The state of the current image."""
        if motion.status == Status.LOST:
            state = self._predict(stamp)
        else:
            covariance = compose_covariance(
                reference.pose, reference.covariance, motion.pose, motion.covariance
            )
            state = _State(stamp, reference.pose @ motion.pose, covariance)
            seconds = (stamp - self._anchor.stamp) / 1e9
            if seconds > 0:
                self._velocity = (self._anchor.pose.inverse @ state.pose).log() / seconds
            self._anchor = state
        self._states[stamp] = state
        return state

    def _correct(self, poses: dict[int, Pose]) -> None:
        """Go on from better poses; what was answered before stays as it is."""
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
        doubt = self._unseen(seconds)
        covariance = compose_covariance(anchor.pose, anchor.covariance, step, doubt)
        return _State(stamp, anchor.pose @ step, covariance)

    def _unseen(self, seconds: float) -> NDArray[np.float64]:
        """Covariance [6, 6] of what may have happened in some time that nothing measured."""
        settings = self._motion_settings
        speed = max(settings.lost_speed, float(np.linalg.norm(self._velocity[:3])))
        rate = max(settings.lost_rate, float(np.linalg.norm(self._velocity[3:])))
        return np.diag(np.repeat([(speed * seconds) ** 2, (rate * seconds) ** 2], 3))
