"""What odometry answers: a pose, how sure it is, and in words why not surer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.observations import StereoMatches, TemporalMatches

__all__ = ["Odometry", "OdometryEstimate", "Scale", "Step"]


class Scale(Enum):
    """Where the length of the motion comes from.

    METRIC: the stereo baseline. UNIT: nowhere; the first motion (over a plane the altitude) has
    length 1 and later ones are measured by it. GROUND_PLANE: the camera's known height over the
    ground, or altitude. EXTERNAL: a speed or range from another sensor. NONE: this motion has no
    known length (no translation was seen, or there is no estimate).
    """

    METRIC = "metric"
    UNIT = "unit"
    GROUND_PLANE = "ground_plane"
    EXTERNAL = "external"
    NONE = "none"


@dataclass(frozen=True, eq=False)
class Step:
    """How the camera moved from the image before to this one, as matches measured it.

    Attributes:
        pose: the current camera in the one of the image before.
        covariance: float64 [6, 6], of ``pose``.
        seconds: from the image before.
        seen: whether the translation was; after a turn alone, without points of known distance,
            it is zero because nothing shows it.
    """

    pose: Pose
    covariance: NDArray[np.float64]
    seconds: float
    seen: bool


@dataclass(frozen=True, eq=False)
class OdometryEstimate:
    """The answer for one image.

    Frames are optical frames (x right, y down, z forward). A covariance is that of (translation
    error, rotation error in rad), both along the axes of the pose's PARENT frame, as
    geometry_msgs/PoseWithCovariance wants it: ``t = t_true + e_t``, ``R = exp(e_r) R_true``.

    Attributes:
        stamp: capture time of the image, integer nanoseconds.
        reference_stamp: capture time of the reference image; ``stamp`` when there is none.
        pose: the camera at ``stamp`` in the optical frame of the first image.
        covariance: float64 [6, 6], of ``pose``.
        relative: the current camera in the reference camera; the identity while LOST.
        relative_covariance: float64 [6, 6], of ``relative``; while LOST what may have happened
            since the reference (``lost_speed`` and ``lost_rate``, or what was measured last).
        status: OK, DEGRADED (an estimate on few or weak measurements) or LOST (the pose is a
            prediction).
        reason: the status in words; empty when OK.
        scale: where the length of ``relative`` comes from.
        matches: matches given.
        landmarks: matches whose distance was known.
        inliers: matches that agree with the motion.
        timing_ms: milliseconds that the update took.
        metric: whether the lengths of ``pose`` are metres. They are not while all there is is a
            unit; once it is known, the path so far is made metres too.
        step: the motion since the image before; ``None`` where no match measured it: the first
            image, a LOST one, or one that was found again from a reference before images that
            were LOST.
    """

    stamp: int
    reference_stamp: int
    pose: Pose
    covariance: NDArray[np.float64]
    relative: Pose
    relative_covariance: NDArray[np.float64]
    status: Status
    reason: str
    scale: Scale
    matches: int
    landmarks: int
    inliers: int
    timing_ms: float
    metric: bool = True
    step: Step | None = None


class Odometry(Protocol):
    """Stereo, mono and planar odometry look alike."""

    def update(
        self,
        temporal: TemporalMatches | None,
        stereo: StereoMatches | None = None,
        *,
        stamp: int | None = None,
        lost: bool = False,
    ) -> OdometryEstimate:
        """Take the matches of one image, in order of time.

        Args:
            temporal: the image with its reference. ``None`` for an image without one: the first
                after a start, or after the matcher started over.
            stereo: left and right image of the same time; needed by stereo odometry alone.
            stamp: of the image, needed when neither ``temporal`` nor ``stereo`` has it.
            lost: the matcher reports LOST: its matches are not used.

        Raises:
            ValueError: when the stamp is missing, stamps contradict each other, or time went
                back (reset first).
        """
        ...

    def reset(self) -> None:
        """Forget everything: the next image is the first one."""
        ...
