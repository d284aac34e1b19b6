"""A second point for each matched cell."""

from __future__ import annotations

import numpy as np

from coarse_loftr_ros.matching.corners import CellCorners
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.matching.matcher import PointMatches
from coarse_loftr_ros.matching.viewpoint import FirstHomography

__all__ = ["with_second_points"]


def with_second_points(
    matches: PointMatches, corners: CellCorners, first: FirstHomography, limit: int
) -> PointMatches:
    """Add the second corners of matched cells, where they should be if they move like the first.

    The network says where a cell went; a corner a few pixels further on is found by the refinement
    just as well, and what is estimated from few matches gains by twice as many points. They
    are not evidence of their own that the cell was matched rightly.

    Args:
        matches: of the cells' first corners, unrefined.
        corners: of the reference.
        first: homography of the matches; where it explains them, it turns and scales the way from
            the first corner to the second.
        limit: most matches in all; the second points of the most confident cells are kept.

    Returns:
        The matches, then the second points. Their numbers are the cells' plus the number of cells.
    """
    having = np.flatnonzero(corners.has_second[matches.point])
    room = max(0, limit - len(matches))
    if len(having) > room:
        surest = np.argsort(-matches.confidence[having], kind="stable")[:room]
        having = np.sort(having[surest])
    cell = matches.point[having]
    second = corners.second[cell]
    if first.explains():
        with np.errstate(invalid="ignore"):  # behind the camera: left out below
            way = transfer(first.matrix, second) - transfer(first.matrix, matches.reference[having])
    else:
        way = second - matches.reference[having]
    current = (matches.current[having] + way).astype(np.float32)
    usable = np.isfinite(current).all(axis=1)
    return PointMatches(
        np.concatenate([matches.reference, second[usable]]),
        np.concatenate([matches.current, current[usable]]),
        np.concatenate([matches.confidence, matches.confidence[having][usable]]),
        np.concatenate([matches.point, cell[usable] + len(corners.first)]),
    )
