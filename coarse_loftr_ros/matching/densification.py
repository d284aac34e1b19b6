"""A second point for each matched cell."""

from __future__ import annotations

import numpy as np

from coarse_loftr_ros.matching.corners import CellCorners
from coarse_loftr_ros.matching.homography import finite, transfer
from coarse_loftr_ros.matching.matcher import NetworkMatches
from coarse_loftr_ros.matching.viewpoint import FirstHomography

__all__ = ["with_second_points"]


def with_second_points(
    matches: NetworkMatches, corners: CellCorners, first: FirstHomography, limit: int
) -> NetworkMatches:
    """Add the second corners of matched cells, where they should be if they move like the first.

    The network matches one point per cell; the refinement aligns a corner a few pixels away as
    well, and estimates from few matches gain by twice as many points. Second points are no
    independent evidence that the cell was matched correctly.

    Args:
        matches: of the cells' first corners, unrefined.
        corners: of the reference.
        first: homography of the matches; where it explains them, it turns and scales the
            offset between the two corners.
        limit: most matches in all; the second points of the most confident cells are kept.

    Returns:
        The matches, then the second points. Their numbers are the cells' plus the number of cells.
    """
    chosen = np.flatnonzero(corners.has_second[matches.point])
    allowed = max(0, limit - len(matches))
    if len(chosen) > allowed:
        best = np.argsort(-matches.confidence[chosen], kind="stable")[:allowed]
        chosen = np.sort(chosen[best])
    cell = matches.point[chosen]
    second = corners.second[cell]
    start = matches.reference[chosen]
    end = second
    if first.explains():
        start, end = transfer(first.matrix, start), transfer(first.matrix, end)
        usable = finite(start) & finite(end)  # not behind the camera
        if not usable.all():
            chosen, cell, second = chosen[usable], cell[usable], second[usable]
            start, end = start[usable], end[usable]
    current = (matches.current[chosen] + (end - start)).astype(np.float32)
    return NetworkMatches(
        np.concatenate([matches.reference, second]),
        np.concatenate([matches.current, current]),
        np.concatenate([matches.confidence, matches.confidence[chosen]]),
        np.concatenate([matches.point, cell + len(corners.first)]),
    )
