"""Results of matching two frames: correspondences, a homography and their quality."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.frame import Frame

__all__ = [
    "Correspondences",
    "Homography",
    "MatchResult",
    "MovingShare",
    "Status",
    "StereoMatch",
    "StreamResult",
]


class Status(IntEnum):
    """Quality of a match; the values are those of ``HomographyStamped.msg``."""

    OK = 0
    DEGRADED = 1
    LOST = 2


@dataclass(frozen=True, eq=False)
class Correspondences:
    """Points of the reference frame and where they are in the current frame.

    Attributes:
        reference_points: float32 [N, 2], (x, y) in pixels of the reference image as received.
        current_points: float32 [N, 2], (x, y) in pixels of the current image as received.
        confidence: float32 [N] in [0, 1].
        track_id: uint32 [N]; the same id is the same reference point while the reference stays.
        inlier: bool [N], within the homography's threshold.
    """

    reference_points: NDArray[np.float32]
    current_points: NDArray[np.float32]
    confidence: NDArray[np.float32]
    track_id: NDArray[np.uint32]
    inlier: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.confidence)

    def select(self, which: NDArray[np.bool_]) -> Correspondences:
        """A part of them."""
        return Correspondences(
            self.reference_points[which],
            self.current_points[which],
            self.confidence[which],
            self.track_id[which],
            self.inlier[which],
        )


@dataclass(frozen=True, eq=False)
class Homography:
    """A homography from reference to current pixels, and how far to trust it.

    Attributes:
        matrix: float64 [3, 3] with ``matrix[2, 2] == 1``; the identity when ``status`` is LOST.
        match_count: correspondences given to the estimator.
        inlier_count: correspondences within the estimator's threshold.
        support: cells of the reference that hold an inlier; what the status and the keyframe rule
            count, because two points of one cell are no independent evidence.
        rms_px: root mean square transfer error of the inliers in the current image, px;
            infinite when there is no estimate.
        coverage: share of the reference image, in [0, 1], whose cells hold an inlier.
        status: OK, DEGRADED or LOST.
        reason: the status in words; empty when OK.
    """

    matrix: NDArray[np.float64]
    match_count: int
    inlier_count: int
    support: int
    rms_px: float
    coverage: float
    status: Status
    reason: str = ""

    @property
    def inlier_ratio(self) -> float:
        """Inliers over matches, 0 when there are none."""
        return self.inlier_count / self.match_count if self.match_count else 0.0


@dataclass(frozen=True)
class MovingShare:
    """How much of an image is left out because it moves by itself.

    Attributes:
        share: of the image, in [0, 1].
        distrusted: why nothing is left out although much contradicts; empty otherwise.
    """

    share: float
    distrusted: str = ""


@dataclass(frozen=True, eq=False)
class MatchResult:
    """The result for one current frame.

    Attributes:
        reference: the frame the current one was matched with.
        current: the newest frame.
        correspondences: matched points of both.
        homography: reference to current, with status.
        timings_ms: milliseconds per stage (``encode``, ``match``, ``refine``, ``motion`` with a
            motion mask, ``homography``, ``total``).
        new_reference: why the current frame became the next reference; empty when the reference
            stays.
        moving: what was left out because it moves by itself; ``None`` when nobody asked for that.
    """

    reference: Frame
    current: Frame
    correspondences: Correspondences
    homography: Homography
    timings_ms: dict[str, float] = field(default_factory=dict)
    new_reference: str = ""
    moving: MovingShare | None = None


@dataclass(frozen=True, eq=False)
class StereoMatch:
    """A left and a right image of one time, matched with each other.

    Attributes:
        left: the reference of the correspondences.
        right: the current frame of the correspondences.
        correspondences: matched points; inliers agree with the epipolar geometry. Track ids and
            left points are those that later matches with ``left`` as their reference have.
        off_row: matches of a rectified pair that were rejected: their rows differ, or their
            disparity is negative.
        negative: of those the ones on one row, whose disparity is negative.
        row_offset_px: median difference of the rows (right less left) before that, px.
        total_ms: milliseconds that matching took, without encoding.
    """

    left: Frame
    right: Frame
    correspondences: Correspondences
    off_row: int
    negative: int
    row_offset_px: float
    total_ms: float

    @property
    def reference(self) -> Frame:
        """The left frame."""
        return self.left

    @property
    def current(self) -> Frame:
        """The right frame."""
        return self.right


@dataclass(frozen=True, eq=False)
class StreamResult:
    """The result for the frames of one time, of one camera or two.

    Attributes:
        temporal: the (left) frame matched with the reference; ``None`` when it became the
            reference because there was none.
        stereo: the left frame matched with the right one; ``None`` with one camera.
    """

    temporal: MatchResult | None
    stereo: StereoMatch | None = None
