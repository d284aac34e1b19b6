"""Sub-pixel alignment of point matches on the images themselves.

Pyramidal Lucas-Kanade (Bouguet, 2000) started at the network's positions. Where a first
homography explains most of the view, the current image is first warped towards the reference, so
that both patches look alike under zoom, rotation and slant; a match that does not follow the
homography keeps its own start and is aligned just as well.

Bilinear interpolation draws a displacement of a fraction of a pixel towards the whole pixel, by 4
to 6 % of it. What a warp is wrong by would thus stay in all points alike, as an error that no
residual shows: some points, aligned on reduced images first, tell the homography better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.homography import fit_homography, transfer
from coarse_loftr_ros.matching.matcher import PointMatches
from coarse_loftr_ros.matching.viewpoint import zoom_of

__all__ = ["RefinementSettings", "refine"]

# Aligned points this near a homography, in px of the network image, follow it.
_PLANE_PX = 1.0
# Points that the network sees this near the homography agree with it, px of the network image.
_AGREEING_PX = 2.0
# From this zoom on a view warped from reduced pixels would have too few of them.
_ZOOMED = 1.2
# A plane that most points follow is found by far fewer samples.
_PLANE_SAMPLES = 300
# Points that say well enough where it lies.
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
            ``minEigThreshold`` counts it: flat patches and plain edges slide.
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


def refine(
    matches: PointMatches,
    reference: NDArray[np.uint8],
    current: NDArray[np.uint8],
    settings: RefinementSettings,
    warp: NDArray[np.float64] | None = None,
    scale: float = 1.0,
) -> PointMatches:
    """Align matches of two images to a fraction of a pixel.

    Args:
        matches: the network's, in px of the images given.
        reference: uint8 [H, W].
        current: uint8 [H, W].
        settings: of the alignment.
        warp: homography from reference to current that explains most of the matches, where there
            is one.
        scale: px of the images given per px of the network image.

    Returns:
        Aligned matches in the given order; those that cannot be aligned are dropped, unless too
        few are left.
    """
    if not settings.enabled or len(matches) == 0:
        return matches
    if warp is not None:
        aligned, texture = _align_warped(matches, reference, current, settings, warp, scale)
    else:
        if current.shape != reference.shape:
            # OpenCV aligns images of one size only; padding below and right moves no point.
            height, width = np.maximum(reference.shape, current.shape)
            reference, current = (_padded(each, height, width) for each in (reference, current))
        target = cv2.LUT(current, _levels(reference, current, None))
        aligned, texture = _align(
            reference, target, matches.reference, matches.current, settings, scale
        )
    texture[~np.isfinite(aligned).all(axis=1)] = 0.0
    good = texture > 0
    if np.count_nonzero(good) < settings.few:
        position = np.where(good[:, None], aligned, matches.current)
        return PointMatches(matches.reference, position, matches.confidence, matches.point)
    textured = texture >= settings.min_texture
    if np.count_nonzero(textured) < settings.enough:
        best = np.argsort(-texture, kind="stable")[: settings.enough]
        textured[best] = good[best]
    refined = PointMatches(matches.reference, aligned, matches.confidence, matches.point)
    return refined.select(textured)


def _align_warped(
    matches: PointMatches,
    reference: NDArray[np.uint8],
    current: NDArray[np.uint8],
    settings: RefinementSettings,
    warp: NDArray[np.float64],
    scale: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Align through the homography given, made better before; as ``_align``."""
    warp, levels, holds = _improved(matches, reference, current, settings, warp, scale)
    target = cv2.LUT(_warped(current, warp, reference.shape), levels)
    start = transfer(np.linalg.inv(warp), matches.current).astype(np.float32)
    aligned, texture = _align(reference, target, matches.reference, start, settings, scale, holds)
    return transfer(warp, aligned).astype(np.float32), texture


def _improved(
    matches: PointMatches,
    reference: NDArray[np.uint8],
    current: NDArray[np.uint8],
    settings: RefinementSettings,
    warp: NDArray[np.float64],
    scale: float,
) -> tuple[NDArray[np.float64], NDArray[np.uint8], bool]:
    """The homography that aligned points follow, from some of the points on reduced images.

    Returns:
        The homography [3, 3], as it was where they follow none; the current image's grey levels
        as the reference has them, see ``_levels``; whether most of the points follow it.
    """
    factor = 1.0
    if zoom_of(warp, NetworkSize(reference.shape[1], reference.shape[0])) < _ZOOMED:
        # Every second pixel stays where it is, and so does the origin.
        reference, current = cv2.pyrDown(reference), cv2.pyrDown(current)
        factor = 0.5
    reduce = np.diag([factor, factor, 1.0])
    reduced_warp = reduce @ warp @ np.linalg.inv(reduce)
    to_reference = np.linalg.inv(reduced_warp)
    target = _warped(current, reduced_warp, reference.shape)
    levels = _levels(reference, target, _overlap(to_reference, current.shape, reference.shape))
    some = slice(None, None, math.ceil(len(matches) / _ENOUGH_FOR_PLANE))
    points = matches.reference[some] * np.float32(factor)
    start = transfer(to_reference, matches.current[some] * factor).astype(np.float32)
    target = cv2.LUT(target, levels)
    aligned, texture = _follow(reference, target, points, start, settings, scale, pyramid=False)
    good = (texture > 0) & np.isfinite(aligned).all(axis=1)
    plane = fit_homography(points[good], aligned[good], _PLANE_PX * scale * factor, _PLANE_SAMPLES)
    if plane.matrix is None:
        return warp, levels, False
    warp = warp @ np.linalg.inv(reduce) @ plane.matrix @ reduce
    return warp, levels, 2 * np.count_nonzero(plane.inlier) >= len(points)


def _warped(
    current: NDArray[np.uint8], warp: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """The current image as the reference of (height, width) ``shape`` would show it."""
    return cv2.warpPerspective(
        current,
        warp,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _padded(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    below, right = height - image.shape[0], width - image.shape[1]
    return cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)


def _overlap(
    inverse: NDArray[np.float64], current: tuple[int, ...], reference: tuple[int, ...]
) -> NDArray[np.uint8] | None:
    """Where the warped current image shows the scene; ``None`` when that is hard to say.

    Args:
        inverse: homography from current to reference pixels.
        current: (height, width) of the current image.
        reference: (height, width) of the reference image, and of the uint8 mask returned.
    """
    height, width = current
    outline = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)
    moved = transfer(inverse, outline)
    if not (np.abs(moved) < 1e4).all():
        return None
    mask = np.zeros(reference, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(moved).astype(np.int32), 255)
    return mask


def _levels(
    reference: NDArray[np.uint8], target: NDArray[np.uint8], overlap: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Grey levels [256] that give the target the reference's mean and contrast.

    Lucas-Kanade assumes equal brightness.
    """
    mean_r, deviation_r = (float(v[0, 0]) for v in cv2.meanStdDev(reference, mask=overlap))
    mean_t, deviation_t = (float(v[0, 0]) for v in cv2.meanStdDev(target, mask=overlap))
    gain = (deviation_r + 1.0) / (deviation_t + 1.0)
    levels = (np.arange(256) - mean_t) * gain + mean_r
    return np.clip(levels + 0.5, 0, 255).astype(np.uint8)


def _align(
    reference: NDArray[np.uint8],
    target: NDArray[np.uint8],
    points: NDArray[np.float32],
    start: NDArray[np.float32],
    settings: RefinementSettings,
    scale: float,
    holds: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lucas-Kanade there and back.

    Args:
        reference: uint8 [H, W].
        target: the current image, warped where there is a warp.
        points: float32 [N, 2] in the reference.
        start: where the network sees them in the target.
        settings: of the alignment.
        scale: px of the images per px of the network image.
        holds: whether most points are known to stay where they are. The network and both images
            agreeing on that is proof enough: such points need no pyramid and no way back.

    Returns:
        Aligned points [N, 2] and the texture of their patches [N], 0 where the alignment failed.
    """
    there, texture = start.copy(), np.zeros(len(points), np.float32)
    stay = np.linalg.norm(start - points, axis=1) <= _AGREEING_PX * scale
    stay &= holds
    for some, begin in ((stay, points), (~stay, start)):
        if some.any():
            there[some], texture[some] = _follow(
                reference, target, points[some], begin[some], settings, scale, begin is start
            )
    most = settings.max_round_trip * scale
    good = (texture > 0) & (np.linalg.norm(there - start, axis=1) <= settings.max_shift * scale)
    doubtful = good.copy()
    doubtful[stay] &= np.linalg.norm(there[stay] - points[stay], axis=1) > most
    if doubtful.any():
        # The way back starts at its end: no pyramid is needed to find it.
        back, returned = _follow(
            target, reference, there[doubtful], points[doubtful], settings, scale, pyramid=False
        )
        good[doubtful] = returned > 0
        good[doubtful] &= np.linalg.norm(back - points[doubtful], axis=1) <= most
    return there, np.where(good, texture, np.float32(0))


def _follow(
    image: NDArray[np.uint8],
    target: NDArray[np.uint8],
    points: NDArray[np.float32],
    start: NDArray[np.float32],
    settings: RefinementSettings,
    scale: float,
    pyramid: bool = True,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lucas-Kanade from one image to another.

    Returns:
        Points [N, 2] and the texture of their patches [N], 0 where they were not found.
    """
    # OpenCV aborts on coordinates beyond its integer range: far starts are refused, not tried.
    near = np.isfinite(start).all(axis=1) & (np.abs(start) < 1e5).all(axis=1)
    there, found, texture = cv2.calcOpticalFlowPyrLK(
        image,
        target,
        points.reshape(-1, 1, 2),
        np.where(near[:, None], start, points).reshape(-1, 1, 2),
        winSize=(settings.window, settings.window),
        maxLevel=settings.levels + max(0, round(math.log2(scale))) if pyramid else 0,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW | cv2.OPTFLOW_LK_GET_MIN_EIGENVALS,
    )
    return there[:, 0], np.where(near & (found[:, 0] > 0), texture[:, 0], np.float32(0))
