"""Which of a teacher's matches it finds again in other views of the same two images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.labelling.nearest_points import NearestPoints, common_motion
from coarse_loftr_lab.labelling.transforms import ViewTransform
from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.matching.homography import transfer

__all__ = ["AgreedPoints", "AgreementSettings", "agreed_points"]

_WIDTH = 640  # of the image that lengths in the settings are px of


@dataclass(frozen=True)
class AgreementSettings:
    """What counts as the same match; lengths are px of an image 640 px wide.

    Attributes:
        share: of the views that show a point, those that have to agree.
        least: views that have to agree at least, its own among them.
        tolerance_px: largest difference of two motions that agree, beside the motion that most
            points share.
        reach_px: a view that matched nothing nearer than this to a point does not agree.
        apart_px: points nearer than about this are one.
    """

    share: float = 0.6
    least: int = 3
    tolerance_px: float = 1.5
    reach_px: float = 12.0
    apart_px: float = 4.0

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"agreement is {self.share:g}; it must be above 0 and at most 1")
        for name in ("tolerance_px", "reach_px", "apart_px"):
            if not 0.0 < getattr(self, name) < 1e4:
                raise ValueError(f"{name} is {getattr(self, name):g}; it must be above 0")


@dataclass(frozen=True, eq=False)
class AgreedPoints:
    """What all views say together.

    Attributes:
        reference: float32 [N, 2], px of the reference image.
        current: float32 [N, 2], px of the current image.
        share: float32 [N], share of the views that agree among those that show the point.
        spread_px: float32 [N], median distance of what the agreeing views say, px.
        agreed: bool [N], whether it is enough.
        shown: int [V], points that each view shows.
        found: int [V], those of them that it agrees with.
    """

    reference: NDArray[np.float32]
    current: NDArray[np.float32]
    share: NDArray[np.float32]
    spread_px: NDArray[np.float32]
    agreed: NDArray[np.bool_]
    shown: NDArray[np.int64]
    found: NDArray[np.int64]


def agreed_points(
    matches: Sequence[PointMatches],
    transforms: Sequence[ViewTransform],
    size: tuple[int, int],
    settings: AgreementSettings,
) -> AgreedPoints:
    """Bring the matches of several views together and count who agrees.

    Args:
        matches: of each view, in px of the images.
        transforms: that made the views, in the same order.
        size: (width, height) of both images, px.
        settings: what counts as the same.
    """
    scale = size[0] / _WIDTH
    reference = np.concatenate([one.reference_points for one in matches])
    current = np.concatenate([one.current_points for one in matches])
    confidence = np.concatenate([one.confidence for one in matches])
    limit = np.array(size) - 1
    on = ((reference >= 0) & (reference <= limit) & (current >= 0) & (current <= limit)).all(axis=1)
    view = np.repeat(np.arange(len(matches)), [len(one) for one in matches])[on]
    reference, current, confidence = reference[on], current[on], confidence[on]
    motion = current - transfer(common_motion(reference, current), reference)

    shows = np.stack([t.shows(reference, size) & t.shows(current, size) for t in transforms])
    apart = _apart(reference, motion, view, len(transforms), size, settings.reach_px * scale)
    agrees = shows & (apart <= settings.tolerance_px * scale)
    agrees[view, np.arange(len(view))] = True  # rounding at the border of its own view
    shows |= agrees
    share = agrees.sum(axis=0) / shows.sum(axis=0).clip(min=1)

    best = _one_of_each_place(reference, share, confidence, settings.apart_px * scale)
    apart = np.where(agrees, apart, np.nan)
    apart[view, np.arange(len(view))] = np.nan  # itself
    reference, current, share = reference[best], current[best], share[best]
    shows, agrees, apart = shows[:, best], agrees[:, best], apart[:, best]
    enough = (share >= settings.share) & (
        agrees.sum(axis=0) >= min(settings.least, len(transforms))
    )
    spread = np.zeros(len(best), np.float32)
    several = agrees.sum(axis=0) > 1
    spread[several] = np.nanmedian(apart[:, several], axis=0) if several.any() else 0.0
    return AgreedPoints(
        reference.astype(np.float32),
        current.astype(np.float32),
        share.astype(np.float32),
        spread,
        enough,
        shows.sum(axis=1),
        agrees.sum(axis=1),
    )


def _apart(
    reference: NDArray[np.floating],
    motion: NDArray[np.floating],
    view: NDArray[np.int64],
    views: int,
    size: tuple[int, int],
    reach_px: float,
) -> NDArray[np.float64]:
    """How far each view's nearest match differs from each match, [V, N] px; infinite beyond reach.

    A match does not differ from its own view.
    """
    apart = np.full((views, len(view)), np.inf)
    for number in range(views):
        own = np.flatnonzero(view == number)
        if len(own) == 0:
            continue
        nearest, distance = NearestPoints(reference[own], size).at(reference)
        difference = np.linalg.norm(motion - motion[own[nearest]], axis=1)
        apart[number] = np.where(distance <= reach_px, difference, np.inf)
    apart[view, np.arange(len(view))] = 0.0
    return apart


def _one_of_each_place(
    points: NDArray[np.floating],
    share: NDArray[np.floating],
    confidence: NDArray[np.floating],
    side: float,
) -> NDArray[np.int64]:
    """The point of each square of ``side`` px that most views agree with, then the surest."""
    order = np.lexsort((-confidence, -share))
    place = np.floor(points[order] / side).astype(np.int64)
    _, first = np.unique(place, axis=0, return_index=True)
    return np.sort(order[first])
