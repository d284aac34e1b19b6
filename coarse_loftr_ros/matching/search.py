"""Matches two encoded frames; where they do not match as they are, from other viewpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.encoded_frame import EncodedFrame
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.matching.matcher import Matcher, NetworkMatches
from coarse_loftr_ros.matching.viewpoint import (
    FirstHomography,
    candidate_views,
    fit_first_homography,
    render_view,
    view_change,
)

__all__ = ["SearchResult", "SearchSettings", "find_matches", "needs_other_view"]


@dataclass(frozen=True)
class SearchSettings:
    """When and how long to look from other viewpoints.

    Attributes:
        views: most viewpoints tried for one pair whose plain match fails; 0 tries none, 11 are
            all quarter turns with zooms by 2 and 1/2. Each costs an encoding and a match, so a
            stream tries few per image.
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
        tried: viewpoints tried besides the plain one.
    """

    matches: NetworkMatches
    first: FirstHomography
    tried: int = 0


def find_matches(
    matcher: Matcher,
    reference: EncodedFrame,
    current: EncodedFrame,
    threshold: float,
    limit: int,
    settings: SearchSettings,
    *,
    prior: NDArray[np.float64] | None = None,
    start: int = 0,
) -> SearchResult:
    """Match two frames.

    The current image is matched as it is. Where that fails, it is turned and zoomed until a
    viewpoint matches. Where the images turn out to be far apart (rotation, zoom), or few matches
    agree, it is matched once more as seen from about the reference's viewpoint, which gives several
    times the matches where that was right.

    Args:
        matcher: that encodes and matches.
        reference: the reference frame.
        current: the current frame.
        threshold: least confidence of a match.
        limit: most matches.
        settings: of the search.
        prior: expected homography from reference to current network pixels, where the images are
            known to be far apart; tried first, in place of the plain match.
        start: index of the viewpoint at which the search begins; a stream of failing images
            that tries some for each gets through all of them.
    """

    def seen_from(view: NDArray[np.float64] | None) -> SearchResult:
        return _match_view(matcher, reference, current, view, threshold, limit)

    size = current.map.network
    if prior is not None:
        found = seen_from(prior)
        if found.first.inliers >= settings.reliable_inliers:
            return found
    found = seen_from(None)
    tried = 0
    if found.first.inliers < settings.reliable_inliers:
        views = candidate_views(size)
        for number in range(start, start + min(settings.views, len(views))):
            other = seen_from(views[number % len(views)])
            tried += 1
            if other.first.inliers > found.first.inliers:
                found = other
            if found.first.inliers >= settings.sure_inliers:
                break
    if _is_promising(found.first, settings) or needs_other_view(found.first, size, settings):
        again = seen_from(found.first.matrix)
        if again.first.inliers > found.first.inliers:
            found = again
    return replace(found, tried=tried)


def needs_other_view(first: FirstHomography, size: NetworkSize, settings: SearchSettings) -> bool:
    """Whether a pair with this homography is better matched as seen from the reference.

    Args:
        first: of the pair.
        size: of the network images.
        settings: of the search.
    """
    if first.matrix is None or first.inliers < settings.reliable_inliers:
        return False
    return view_change(first.matrix, size) > settings.second_pass


def _is_promising(first: FirstHomography, settings: SearchSettings) -> bool:
    return settings.promising_inliers <= first.inliers < settings.reliable_inliers


def _match_view(
    matcher: Matcher,
    reference: EncodedFrame,
    current: EncodedFrame,
    view: NDArray[np.float64] | None,
    threshold: float,
    limit: int,
) -> SearchResult:
    """Matches with the current image as it is, or warped by a homography.

    Args:
        matcher: that encodes and matches.
        reference: the reference frame.
        current: the current frame.
        view: homography from the pixels of the warped image to those of the current network image;
            ``None`` warps nothing.
        threshold: least confidence of a match.
        limit: most matches.
    """
    if view is None:
        features = current.features(matcher)
    else:
        detail = current.detail
        image = render_view(detail.image, current.to(detail) @ view, current.map.network)
        features = matcher.encode(image)
    matches = matcher.match(reference.features(matcher), features, threshold, limit)
    if view is not None:
        moved = transfer(view, matches.current).astype(np.float32)
        matches = replace(matches, current=moved).select(np.isfinite(moved).all(axis=1))
    return SearchResult(matches, fit_first_homography(matches))
