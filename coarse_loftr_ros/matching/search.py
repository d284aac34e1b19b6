"""Matches two encoded frames; where they do not match as they are, from other viewpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.corners import CellCorners
from coarse_loftr_ros.matching.encoded_frame import EncodedFrame
from coarse_loftr_ros.matching.homography import finite, transfer
from coarse_loftr_ros.matching.keypoints import propose_similarities
from coarse_loftr_ros.matching.matcher import Matcher, NetworkMatches
from coarse_loftr_ros.matching.viewpoint import (
    FirstHomography,
    fit_first_homography,
    overlap_window,
    view_change,
)

__all__ = ["SearchResult", "SearchSettings", "find_matches", "needs_other_view"]


@dataclass(frozen=True)
class SearchSettings:
    """When and how long to look from other viewpoints.

    Attributes:
        views: most viewpoints tried for one pair whose plain match fails; 0 tries none. Keypoints
            propose them, the likeliest first. Each costs an encoding and a match, the keypoints
            as much as several.
        reliable_inliers: a first homography with fewer inliers is a failure. Unrelated images
            reach 13 by chance.
        promising_inliers: of a first homography that may be chance or right; a second look from
            there finds more inliers only where it is right.
        sure_inliers: a viewpoint that reaches this many ends the search.
        second_pass: change of view (see ``view_change``) from which the current image is matched
            once more as the reference saw it.
    """

    views: int = 2
    reliable_inliers: int = 22
    promising_inliers: int = 11
    sure_inliers: int = 60
    second_pass: float = 0.1

    def __post_init__(self) -> None:
        if self.views < 0:
            raise ValueError(f"search views is {self.views}; it must not be negative")


@dataclass(frozen=True, eq=False)
class SearchResult:
    """Unrefined matches of a pair.

    Attributes:
        matches: in network pixels of both images.
        first: the homography that most of them agree with.
        corners: those that were looked for, px of the reference's network image.
        view: homography from reference to current network pixels through which the current image
            was seen; ``None``: as it is.
        windowed: whether these are not the reference's own but those of a window, a small part of
            it that was looked at enlarged; another pair has other windows.
        expected: whether they were found where the prior says.
        proposed: whether they were found where keypoints say, the images as they are having failed.
    """

    matches: NetworkMatches
    first: FirstHomography
    corners: CellCorners
    view: NDArray[np.float64] | None = None
    windowed: bool = False
    expected: bool = False
    proposed: bool = False


def find_matches(
    matcher: Matcher,
    reference: EncodedFrame,
    current: EncodedFrame,
    threshold: float,
    limit: int,
    settings: SearchSettings,
    *,
    prior: NDArray[np.float64] | None = None,
) -> SearchResult:
    """Match two frames.

    The current image is matched as it is. Where that fails, it is matched as seen from where
    keypoints say that the reference was. Where the images turn out to be seen from far apart
    (rotation, zoom), or few matches agree, the current one is matched once more as seen from about
    the reference's viewpoint, which gives several times the matches where that was right.

    Args:
        matcher: that encodes and matches.
        reference: the reference frame.
        current: the current frame.
        threshold: least confidence of a match.
        limit: most matches.
        settings: of the search; without ``views`` the corners are always the reference's own.
        prior: expected homography from reference to current network pixels, where the images are
            known to be far apart; tried first, in place of the plain match.
    """

    def seen_from(view: NDArray[np.float64]) -> SearchResult:
        window = None
        if settings.views > 0:
            sizes = reference.map.filled, current.map.filled
            window = overlap_window(view, *sizes, reference.map.network)
        return _match_view(matcher, reference, current, view, window, threshold, limit)

    def improved(found: SearchResult) -> SearchResult:
        """Matched once more from where it says that the reference was, where that may help."""
        first, size = found.first, current.map.network
        far = needs_other_view(first, size, settings, found.view)
        if not far and not _is_promising(first, settings):
            return found
        again = seen_from(first.matrix)
        return again if again.first.inliers > first.inliers else found

    if prior is not None:
        found = improved(seen_from(prior))
        if found.first.inliers >= settings.reliable_inliers:
            return replace(found, expected=True)
    plain = _match_plain(matcher, reference, current, threshold, limit)
    found = improved(plain)
    failed = plain.first.inliers < settings.reliable_inliers
    if failed and found.first.inliers < settings.sure_inliers:
        for view in _proposed_views(reference, current, settings.views):
            other = improved(seen_from(view))
            if other.first.inliers > found.first.inliers:
                found = replace(other, proposed=True)
            if found.first.inliers >= settings.sure_inliers:
                break
    return found


def needs_other_view(
    first: FirstHomography,
    size: NetworkSize,
    settings: SearchSettings,
    view: NDArray[np.float64] | None = None,
) -> bool:
    """Whether a pair with this homography is better matched as seen from the reference.

    Args:
        first: of the pair.
        size: of the network images.
        settings: of the search.
        view: from which the current image was seen; ``None``: as it is.
    """
    if first.matrix is None or first.inliers < settings.reliable_inliers:
        return False
    rest = first.matrix if view is None else np.linalg.inv(view) @ first.matrix
    return view_change(rest, size) > settings.second_pass


def _is_promising(first: FirstHomography, settings: SearchSettings) -> bool:
    return settings.promising_inliers <= first.inliers < settings.reliable_inliers


def _proposed_views(
    reference: EncodedFrame, current: EncodedFrame, most: int
) -> list[NDArray[np.float64]]:
    """Homographies from reference to current network pixels, the likeliest first."""
    if most == 0:
        return []
    frame = reference.frame
    side = max(frame.width, frame.height)
    proposals = propose_similarities(reference.keypoints, current.keypoints, side, most)
    back = np.linalg.inv(reference.map.matrix)
    return [current.map.matrix @ each @ back for each in proposals]


def _match_plain(
    matcher: Matcher, reference: EncodedFrame, current: EncodedFrame, threshold: float, limit: int
) -> SearchResult:
    """Matches of the images as they are."""
    seen = reference.features(matcher)
    matches = matcher.match(seen, current.features(matcher), threshold, limit)
    return SearchResult(matches, fit_first_homography(matches), seen.corners)


def _match_view(
    matcher: Matcher,
    reference: EncodedFrame,
    current: EncodedFrame,
    view: NDArray[np.float64],
    window: NDArray[np.float64] | None,
    threshold: float,
    limit: int,
) -> SearchResult:
    """Matches with the current image as seen through a homography.

    Args:
        matcher: that encodes and matches.
        reference: the reference frame.
        current: the current frame.
        view: from reference to current network pixels, about.
        window: from pixels of a part of the reference, which is looked at in place of all of it,
            to reference network pixels.
        threshold: least confidence of a match.
        limit: most matches.
    """
    if window is None:
        seen = reference.features(matcher)
        corners, to_current = seen.corners, view
    else:
        seen = matcher.encode(reference.rendered(window))
        corners, to_current = seen.corners.moved(window), view @ window
    matches = matcher.match(seen, matcher.encode(current.rendered(to_current)), threshold, limit)
    # Fitted where both look alike, so that a pixel means as much whatever the zoom.
    first = fit_first_homography(matches)
    if first.matrix is not None:
        matrix = to_current @ first.matrix
        first = replace(first, matrix=matrix if window is None else matrix @ np.linalg.inv(window))
    matches = replace(
        matches,
        reference=corners.first[matches.point],
        current=transfer(to_current, matches.current).astype(np.float32),
    )
    matches = matches.select(finite(matches.current))
    return SearchResult(matches, first, corners, view, windowed=window is not None)
