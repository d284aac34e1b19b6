"""Two encoded frames in, refined correspondences and a homography out, without state."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.densification import with_second_points
from coarse_loftr_ros.matching.encoded_frame import FINE_ZOOM, EncodedFrame
from coarse_loftr_ros.matching.homography_estimate import HomographySettings, estimate_homography
from coarse_loftr_ros.matching.matcher import Matcher, NetworkMatches
from coarse_loftr_ros.matching.refinement import RefinementSettings, refine
from coarse_loftr_ros.matching.result import Correspondences, Homography
from coarse_loftr_ros.matching.search import SearchResult, SearchSettings, find_matches
from coarse_loftr_ros.matching.viewpoint import zoom

__all__ = ["FrameMatch", "FramePoints", "MatchSettings", "match_frames", "match_points"]


@dataclass(frozen=True)
class MatchSettings:
    """What may change between two frames.

    Attributes:
        confidence_threshold: least confidence of a match, in [0, 1].
        max_matches: most matches per pair.
        motion_mask: in a stream, leave out what moves by itself, see ``MotionMask``.
        row_tolerance_px: of a rectified stereo pair: largest difference of a match's rows, px of
            the images as received; 0 means no constraint.
        search: other viewpoints for pairs that do not match as they are.
        refinement: sub-pixel alignment.
        homography: estimator and thresholds of the status.
    """

    confidence_threshold: float = 0.5
    max_matches: int = 1000
    motion_mask: bool = False
    row_tolerance_px: float = 1.5
    search: SearchSettings = field(default_factory=SearchSettings)
    refinement: RefinementSettings = field(default_factory=RefinementSettings)
    homography: HomographySettings = field(default_factory=HomographySettings)

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence_threshold <= 1.0:
            raise ValueError(
                f"confidence_threshold is {self.confidence_threshold}; it must be in [0, 1]"
            )
        if self.max_matches < 4:
            raise ValueError(f"max_matches is {self.max_matches}; it must be at least 4")
        if not self.row_tolerance_px >= 0.0:
            raise ValueError(
                f"row_tolerance_px is {self.row_tolerance_px}; it must not be negative"
            )


@dataclass(frozen=True, eq=False)
class FramePoints:
    """Refined matches of two frames.

    Attributes:
        reference: float32 [N, 2], px of the reference image as received.
        current: float32 [N, 2], px of the current image as received.
        confidence: float32 [N] in [0, 1].
        point: int64 [N], number of the reference's point, see ``NetworkMatches``.
        found: what the search found before refinement.
        timings_ms: milliseconds of ``match`` and ``refine``.
    """

    reference: NDArray[np.float32]
    current: NDArray[np.float32]
    confidence: NDArray[np.float32]
    point: NDArray[np.int64]
    found: SearchResult
    timings_ms: dict[str, float]

    def select(self, which: NDArray[np.bool_]) -> FramePoints:
        """A part of the matches."""
        return replace(
            self,
            reference=self.reference[which],
            current=self.current[which],
            confidence=self.confidence[which],
            point=self.point[which],
        )

    def correspondences(self, track_base: int, inlier: NDArray[np.bool_]) -> Correspondences:
        """The matches with their identity.

        Args:
            track_base: track id of the reference's first point.
            inlier: bool [N].
        """
        track_id = ((self.point + track_base) % 2**32).astype(np.uint32)
        return Correspondences(self.reference, self.current, self.confidence, track_id, inlier)


@dataclass(frozen=True, eq=False)
class FrameMatch:
    """Two frames matched.

    Attributes:
        correspondences: refined points.
        homography: reference to current, with status.
        found: what the search found before refinement.
        timings_ms: milliseconds of ``match``, ``refine``, ``motion`` where a choice of matches was
            given, and ``homography``.
    """

    correspondences: Correspondences
    homography: Homography
    found: SearchResult
    timings_ms: dict[str, float]


def match_points(
    matcher: Matcher,
    reference: EncodedFrame,
    current: EncodedFrame,
    settings: MatchSettings,
    search: SearchSettings,
    prior: NDArray[np.float64] | None = None,
) -> FramePoints:
    """Match two frames and align the points to a fraction of a pixel.

    Args:
        matcher: that encodes and matches.
        reference: the reference frame.
        current: the current frame.
        settings: thresholds; its own ``search`` is not used.
        search: other viewpoints to try.
        prior: see ``find_matches``.
    """
    begin = time.perf_counter()
    found = find_matches(
        matcher,
        reference,
        current,
        settings.confidence_threshold,
        settings.max_matches,
        search,
        prior=prior,
    )
    matched = time.perf_counter()
    matches = found.matches
    if settings.refinement.enabled and settings.refinement.points_per_cell == 2:
        matches = with_second_points(matches, found.corners, found.first, settings.max_matches)
    explained = found.first.explains()
    apart = zoom(found.first.matrix, reference.map.network) if explained else 1.0
    if max(apart, 1 / apart) > FINE_ZOOM:
        details = reference.fine_detail, current.fine_detail
    else:
        details = reference.detail, current.detail
    matches = NetworkMatches(
        reference.in_detail(matches.reference, details[0]),
        current.in_detail(matches.current, details[1]),
        matches.confidence,
        matches.point,
    )
    warp = None
    if explained:
        from_detail = np.linalg.inv(reference.to(details[0]))
        warp = current.to(details[1]) @ found.first.matrix @ from_detail
    matches = refine(
        matches,
        details[0].image,
        details[1].image,
        settings.refinement,
        warp,
        current.scale_of(details[1]),
        # Few points that can be aligned also mean that a proposed viewpoint is wrong.
        widen=not found.proposed,
    )
    reference_points = details[0].map.to_image(matches.reference)
    current_points = details[1].map.to_image(matches.current)
    kept = _inside(reference_points, reference.frame) & _inside(current_points, current.frame)
    if not kept.all():
        matches = matches.select(kept)
        reference_points, current_points = reference_points[kept], current_points[kept]
    return FramePoints(
        reference_points,
        current_points,
        matches.confidence,
        matches.point,
        found,
        {"match": (matched - begin) * 1e3, "refine": (time.perf_counter() - matched) * 1e3},
    )


def match_frames(
    matcher: Matcher,
    reference: EncodedFrame,
    current: EncodedFrame,
    settings: MatchSettings,
    track_base: int = 0,
    window_track_base: int = 0,
    prior: NDArray[np.float64] | None = None,
    prior_is_sure: bool = False,
    keep: Callable[[FramePoints], NDArray[np.bool_]] | None = None,
    next_reference: EncodedFrame | None = None,
) -> FrameMatch:
    """Match two frames and estimate the homography between them.

    Args:
        matcher: that encodes and matches.
        reference: the reference frame.
        current: the current frame.
        settings: of all steps.
        track_base: track id of the reference's first point.
        window_track_base: track id of the first point of a window, see ``SearchResult``.
        prior: see ``find_matches``.
        prior_is_sure: whether the match that it comes from was OK.
        keep: which matches to keep, bool [N]; its time is that of ``motion``.
        next_reference: of the next pair, where it is known: its corners are found by another
            thread, beside the homography.
    """
    points = match_points(matcher, reference, current, settings, settings.search, prior)
    timings = points.timings_ms
    if keep is not None:
        begin = time.perf_counter()
        points = points.select(keep(points))
        timings = {**timings, "motion": (time.perf_counter() - begin) * 1e3}
    begin = time.perf_counter()
    if next_reference is not None:  # not before: the network and the alignment use all threads
        matcher.begin_corners(next_reference.features(matcher))
    # Of several viewpoints one may agree by chance, where a texture repeats itself; images that
    # match as they are, or are still where they were seen before, do so at the first try.
    followed = points.found.expected and prior_is_sure
    chosen = points.found.view is not None and not followed
    homography, inlier = estimate_homography(
        points.reference,
        points.current,
        reference.frame.width,
        reference.frame.height,
        settings.homography,
        settings.homography.threshold_px / float(current.map.scale.max()),
        points.point % len(points.found.corners.first),
        points.confidence if chosen else None,
    )
    homography_ms = (time.perf_counter() - begin) * 1e3
    return FrameMatch(
        points.correspondences(window_track_base if points.found.windowed else track_base, inlier),
        homography,
        points.found,
        {**timings, "homography": homography_ms},
    )


def _inside(points: NDArray[np.float32], frame: Frame) -> NDArray[np.bool_]:
    """Which points [N, 2] lie on the image and on its mask."""
    nearest = np.rint(points).astype(np.int64)
    x, y = nearest[:, 0], nearest[:, 1]
    inside = (x >= 0) & (y >= 0) & (x < frame.width) & (y < frame.height)
    if frame.mask is not None:
        inside[inside] = frame.mask[y[inside], x[inside]] != 0
    return inside
