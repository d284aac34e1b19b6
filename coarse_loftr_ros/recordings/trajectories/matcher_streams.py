"""Matching methods as odometry needs them: in time with a reference, and left with right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.features.pair_matcher import PairMatcher, PointMatches
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.homography_estimate import HomographySettings, estimate_homography
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.reference_policy import ReferencePolicy
from coarse_loftr_ros.matching.result import MatchResult, StereoMatch
from coarse_loftr_ros.matching.stereo_matching import why_not_rectified
from coarse_loftr_ros.odometry.observations import StereoMatches, TemporalMatches
from coarse_loftr_ros.recordings.frame_sets import FrameSet

__all__ = ["MatcherStream", "OwnStream", "PairStream", "stereo_matches_of", "temporal_matches_of"]


class MatcherStream(Protocol):
    """Matches the frames of a stream in order.

    Attributes:
        warnings: what was wrong with pairs that cannot be rectified ones, in words, one for each.
    """

    warnings: list[str]

    def match(self, frames: FrameSet) -> tuple[TemporalMatches | None, StereoMatches | None]:
        """Matches with the reference (``None`` when there was none), and left with right.

        Points of both that have the same id are the same left pixel of the same image.
        """
        ...


class OwnStream:
    """The pipeline that the node runs.

    Args:
        pipeline: whose policy chooses the references.

    Attributes:
        pipeline: the pipeline.
        warnings: see ``MatcherStream``.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.warnings: list[str] = []

    def match(self, frames: FrameSet) -> tuple[TemporalMatches | None, StereoMatches | None]:
        """See ``MatcherStream.match``; left and right are taken as rectified."""
        stereo = None
        if frames.right is None:
            temporal = self.pipeline.process(frames.left)
        else:
            result = self.pipeline.process_stereo(frames.left, frames.right, rectified=True)
            temporal, stereo = result.temporal, stereo_matches_of(result.stereo)
            warning = why_not_rectified(result.stereo)
            if warning:
                self.warnings.append(warning)
        return None if temporal is None else temporal_matches_of(temporal), stereo


def temporal_matches_of(result: MatchResult) -> TemporalMatches:
    """What odometry takes of an image's matches with its reference."""
    found = result.correspondences
    return TemporalMatches(
        result.reference.stamp,
        result.current.stamp,
        found.reference_points,
        found.current_points,
        found.confidence,
        found.track_id,
        result.current.width,
        result.current.height,
    )


def stereo_matches_of(match: StereoMatch) -> StereoMatches:
    """What odometry takes of a left image's matches with its right one."""
    found = match.correspondences
    return StereoMatches(
        match.left.stamp,
        found.reference_points,
        found.current_points,
        found.confidence,
        found.track_id,
    )


@dataclass(eq=False)
class _Described:
    """An image as a method describes it, and the ids of its points by their position."""

    frame: Frame
    described: Any
    ids: dict[bytes, int] = field(default_factory=dict)

    def name(self, points: NDArray[np.float32]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Ids of points [N, 2], and which points to take: each id once."""
        ids = [self.ids.setdefault(point.tobytes(), len(self.ids)) for point in points]
        unique, first = np.unique(np.array(ids, np.uint32), return_index=True)
        return unique, first


class PairStream:
    """Any method that matches pairs, such as SIFT.

    Args:
        matcher: the method.
        policy: chooses the references, by the homography of the method's matches.
        row_tolerance_px: matches of left with right whose rows differ by more are left out, as
            the pipeline does it.
    """

    def __init__(
        self, matcher: PairMatcher, policy: ReferencePolicy, row_tolerance_px: float = 1.5
    ) -> None:
        self.matcher = matcher
        self.policy = policy
        self.row_tolerance_px = row_tolerance_px
        self.warnings: list[str] = []
        self._homography = HomographySettings()
        self._reference: _Described | None = None
        self._age = 0

    def match(self, frames: FrameSet) -> tuple[TemporalMatches | None, StereoMatches | None]:
        """See ``MatcherStream.match``."""
        current = _Described(frames.left, self.matcher.describe(frames.left.image))
        reference, temporal = self._reference, None
        if reference is None:
            self._reference = current
        else:
            found = self.matcher.match(reference.described, current.described)
            ids, kept = reference.name(found.reference_points)
            temporal = TemporalMatches(
                reference.frame.stamp,
                frames.left.stamp,
                found.reference_points[kept],
                found.current_points[kept],
                np.clip(found.confidence[kept], 0, 1),
                ids,
                frames.left.width,
                frames.left.height,
            )
            self._choose_reference(current, temporal)
        return temporal, None if frames.right is None else self._stereo(current, frames.right)

    def _choose_reference(self, current: _Described, matches: TemporalMatches) -> None:
        self._age += 1
        homography, _ = estimate_homography(
            matches.reference_points,
            matches.current_points,
            matches.width,
            matches.height,
            self._homography,
        )
        if self.policy.replace(homography, self._age):
            self._reference, self._age = current, 0

    def _stereo(self, left: _Described, right: Frame) -> StereoMatches:
        found: PointMatches = self.matcher.match(left.described, self.matcher.describe(right.image))
        shift = found.current_points - found.reference_points
        tolerance = self.row_tolerance_px
        on_row = np.flatnonzero((np.abs(shift[:, 1]) <= tolerance) & (shift[:, 0] <= tolerance))
        ids, first = left.name(found.reference_points[on_row])
        kept = on_row[first]
        return StereoMatches(
            left.frame.stamp,
            found.reference_points[kept],
            found.current_points[kept],
            np.clip(found.confidence[kept], 0, 1),
            ids,
        )
