"""Sub-pixel alignment of point matches on the images themselves.

Pyramidal Lucas-Kanade (Bouguet, 2000) started at the network's positions. Where a first
homography explains most of the view, the current image is first warped towards the reference, so
that both patches look alike under zoom, rotation and slant; a match that does not agree with the
homography keeps its own start and is aligned just as well.

Bilinear interpolation draws a displacement of a fraction of a pixel towards the whole pixel, by 4
to 6 % of it. What a warp is wrong by would thus stay in all points alike, as an error that no
residual shows: some points, aligned first, correct the homography. (On images reduced by 2 they
would do so in half the time, and planar motions err more than their covariances say.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.appearance import (
    GreyLevels,
    mean_and_deviation,
    warp_overlap,
    warp_to_reference,
)
from coarse_loftr_ros.matching.homography import distances, finite, fit_homography, transfer
from coarse_loftr_ros.matching.matcher import NetworkMatches

__all__ = ["RefinementSettings", "refine"]

# Aligned points this near a homography, in px of the network image, agree with it.
_PLANE_PX = 1.0
# The network's points this near a homography, in px of the network image, agree with it.
_NETWORK_PLANE_PX = 3.0
# A homography that most points agree with is found by far fewer samples.
_PLANE_SAMPLES = 300
# Standard deviation of an image's grey levels, of which textures are about the square.
_USUAL_CONTRAST = 20.0
# Where a smaller share of the points can be aligned, patches are so many times as wide.
_FEW_ALIGNED, _WIDER = 0.35, 3
# Points from which it is estimated.
_ENOUGH_FOR_PLANE = 160


@dataclass(frozen=True)
class RefinementSettings:
    """How points are aligned; lengths are in px of the network image unless said otherwise.

    Attributes:
        enabled: without it the network's positions are the result.
        points_per_cell: 1 aligns each matched cell's strongest corner, 2 another one as well.
        window: side of the aligned patch, px of the images given; a multiple of 8, because
            OpenCV's vector code takes rows of 8 and is four times slower with a rest.
        levels: pyramid levels above the network image's resolution.
        min_texture: least smaller eigenvalue of a patch's gradient matrix, as OpenCV's
            ``minEigThreshold`` counts it: flat patches and plain edges slide. In a faint image
            (standard deviation below 20 grey levels) all patches are, and less is asked for.
        max_shift: an alignment that moves a point farther is refused.
        max_round_trip: largest distance between a point and its image aligned back.
        enough: where fewer points have ``min_texture``, the best of the others fill up to this
            number.
        few: where fewer than this can be aligned at all, all matches are kept, those that cannot
            at the network's positions.
    """

    enabled: bool = True
    points_per_cell: int = 2
    window: int = 16
    levels: int = 1
    min_texture: float = 4e-3
    max_shift: float = 6.0
    max_round_trip: float = 0.7
    enough: int = 100
    few: int = 30

    def __post_init__(self) -> None:
        if self.points_per_cell not in (1, 2):
            raise ValueError(f"points_per_cell is {self.points_per_cell}; it must be 1 or 2")
        if self.window < 8 or self.window % 8:
            raise ValueError(f"window is {self.window}; it must be a positive multiple of 8")


@dataclass(frozen=True)
class _Tracker:
    """Pyramidal Lucas-Kanade from given starts.

    Attributes:
        settings: of the alignment.
        scale: px of the images given per px of the network image.
    """

    settings: RefinementSettings
    scale: float

    def align(
        self,
        reference: NDArray[np.uint8],
        target: NDArray[np.uint8],
        points: NDArray[np.float32],
        start: NDArray[np.float32],
        registered: bool = False,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Track points of the reference from their starts in the target, and back.

        Args:
            reference: uint8 [H, W].
            target: uint8 [H, W], the current image, warped where there is a warp.
            points: float32 [N, 2] in the reference.
            start: float32 [N, 2], where the network sees them in the target.
            registered: whether most points are known to be in the target where they are in the
                reference. Those of which the network and both images say so need no more proof:
                they are tracked without pyramid and way back.

        Returns:
            Aligned points [N, 2] and the texture of their patches [N], 0 where the alignment
            failed.
        """
        in_place = distances(start, points) <= _NETWORK_PLANE_PX * self.scale
        in_place &= registered
        aligned, texture = start.copy(), np.zeros(len(points), np.float32)
        for which, begin, pyramid in ((in_place, points, False), (~in_place, start, True)):
            if which.any():
                aligned[which], texture[which] = self.track(
                    reference, target, points[which], begin[which], pyramid
                )
        max_round_trip = self.settings.max_round_trip * self.scale
        shift = distances(aligned, start)
        good = (texture > 0) & (shift <= self.settings.max_shift * self.scale)
        unproved = good.copy()
        moved = distances(aligned[in_place], points[in_place])
        unproved[in_place] &= moved > max_round_trip
        if unproved.any():
            # The way back starts at its end: no pyramid is needed to find it.
            back, returned = self.track(
                target, reference, aligned[unproved], points[unproved], pyramid=False
            )
            round_trip = distances(back, points[unproved])
            good[unproved] = (returned > 0) & (round_trip <= max_round_trip)
        return aligned, np.where(good, texture, np.float32(0))

    def track(
        self,
        image: NDArray[np.uint8],
        target: NDArray[np.uint8],
        points: NDArray[np.float32],
        start: NDArray[np.float32],
        pyramid: bool = True,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Track points from one image to another.

        Returns:
            Points [N, 2] and the texture of their patches [N], 0 where they were not found.
        """
        # OpenCV aborts on coordinates beyond its integer range: far starts are refused, not tried.
        x, y = (np.abs(start) < 1e5).T  # false of what is no number
        near = x & y
        side, levels = self.settings.window, self.settings.levels
        tracked, found, texture = cv2.calcOpticalFlowPyrLK(
            image,
            target,
            points.reshape(-1, 1, 2),
            np.where(near[:, None], start, points).reshape(-1, 1, 2),
            winSize=(side, side),
            maxLevel=levels + max(0, round(math.log2(self.scale))) if pyramid else 0,
            criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03),
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW | cv2.OPTFLOW_LK_GET_MIN_EIGENVALS,
        )
        return tracked[:, 0], np.where(near & (found[:, 0] > 0), texture[:, 0], np.float32(0))


def refine(
    matches: NetworkMatches,
    reference: NDArray[np.uint8],
    current: NDArray[np.uint8],
    settings: RefinementSettings,
    warp: NDArray[np.float64] | None = None,
    scale: float = 1.0,
    widen: bool = True,
) -> NetworkMatches:
    """Align matches of two images to a fraction of a pixel.

    Args:
        matches: the network's, in px of the images given.
        reference: uint8 [H, W].
        current: uint8 [H, W].
        settings: of the alignment.
        warp: homography from reference to current that explains most of the matches, where there
            is one.
        scale: px of the images given per px of the network image.
        widen: whether larger patches are tried where few points can be aligned.

    Returns:
        Aligned matches in the given order; those that cannot be aligned are dropped, unless too
        few are left.
    """
    if not settings.enabled or len(matches) == 0:
        return matches
    tracker = _Tracker(settings, scale)
    aligned, texture = _align(matches, reference, current, tracker, warp)
    if widen and np.count_nonzero(texture) < _FEW_ALIGNED * len(matches):
        # A blurred image, or one of little texture, has enough to align in larger patches only.
        tracker = _Tracker(replace(settings, window=_WIDER * settings.window), scale)
        again = _align(matches, reference, current, tracker, warp)
        if np.count_nonzero(again[1]) > np.count_nonzero(texture):
            aligned, texture = again
    good = texture > 0
    if np.count_nonzero(good) < settings.few:
        position = np.where(good[:, None], aligned, matches.current)
        return NetworkMatches(matches.reference, position, matches.confidence, matches.point)
    contrast = mean_and_deviation(reference)[1] / _USUAL_CONTRAST
    textured = texture >= settings.min_texture * min(contrast**2, 1.0)
    if np.count_nonzero(textured) < settings.enough:
        best = np.argsort(-texture, kind="stable")[: settings.enough]
        textured[best] = good[best]
    refined = NetworkMatches(matches.reference, aligned, matches.confidence, matches.point)
    return refined.select(textured)


def _align(
    matches: NetworkMatches,
    reference: NDArray[np.uint8],
    current: NDArray[np.uint8],
    tracker: _Tracker,
    warp: NDArray[np.float64] | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Align all matches, through a homography where there is one.

    Returns:
        As ``_Tracker.align``; the points [N, 2] are those of the current image.
    """
    if warp is not None:
        aligned, texture = _align_warped(matches, reference, current, tracker, warp)
    else:
        if current.shape != reference.shape:
            # OpenCV aligns images of one size only; padding below and right moves no point.
            height, width = np.maximum(reference.shape, current.shape)
            reference, current = (_padded(each, height, width) for each in (reference, current))
        target = GreyLevels.equalising(reference, current).of(current)
        aligned, texture = tracker.align(reference, target, matches.reference, matches.current)
    texture[~finite(aligned)] = 0.0
    return aligned, texture


def _align_warped(
    matches: NetworkMatches,
    reference: NDArray[np.uint8],
    current: NDArray[np.uint8],
    tracker: _Tracker,
    warp: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Align through the homography given, corrected before.

    Returns:
        As ``_Tracker.align``.
    """
    warp, levels, registered = _corrected_warp(matches, reference, current, tracker, warp)
    target = levels.of(warp_to_reference(current, warp, reference.shape))
    start = transfer(np.linalg.inv(warp), matches.current).astype(np.float32)
    aligned, texture = tracker.align(reference, target, matches.reference, start, registered)
    return transfer(warp, aligned).astype(np.float32), texture


def _corrected_warp(
    matches: NetworkMatches,
    reference: NDArray[np.uint8],
    current: NDArray[np.uint8],
    tracker: _Tracker,
    warp: NDArray[np.float64],
) -> tuple[NDArray[np.float64], GreyLevels, bool]:
    """The homography of aligned points, from some of the matches.

    Returns:
        The homography [3, 3], the one given where they agree with none; the grey levels that make
        the current image as bright as the reference; whether most of the points agree with it.
    """
    to_reference = np.linalg.inv(warp)
    target = warp_to_reference(current, warp, reference.shape)
    overlap = warp_overlap(to_reference, current.shape, reference.shape)
    levels = GreyLevels.equalising(reference, target, overlap)
    sample = slice(None, None, math.ceil(len(matches) / _ENOUGH_FOR_PLANE))
    points = np.ascontiguousarray(matches.reference[sample])
    start = transfer(to_reference, matches.current[sample]).astype(np.float32)
    aligned, texture = tracker.track(reference, levels.of(target), points, start, pyramid=False)
    good = (texture > 0) & finite(aligned)
    plane = fit_homography(points[good], aligned[good], _PLANE_PX * tracker.scale, _PLANE_SAMPLES)
    if plane.matrix is None:
        return warp, levels, False
    return warp @ plane.matrix, levels, 2 * np.count_nonzero(plane.inlier) >= len(points)


def _padded(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    below, right = height - image.shape[0], width - image.shape[1]
    return cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
