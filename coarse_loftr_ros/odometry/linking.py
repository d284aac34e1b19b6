"""Points of one image found by two matches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["nearest_points"]

_ROW = 2**31  # more squares than a row can have
_FAR = 2.0**29  # squares from the origin; what is farther is taken to be there


def nearest_points(
    query: NDArray[np.floating], points: NDArray[np.floating], radius: float
) -> NDArray[np.int64]:
    """For each query the nearest of the points within a radius.

    Points are sorted into squares as wide as the radius and looked up in the nine squares about a
    query, which are three of each of three rows; of points that share a square (closer than the
    accuracy of a match) the first is kept.

    Args:
        query: float [N, 2], px.
        points: float [M, 2], px.
        radius: largest distance, px.

    Returns:
        Index into ``points``, int64 [N]; -1 where none is near.
    """
    nearest = np.full(len(query), -1, np.int64)
    if len(query) == 0 or len(points) == 0:
        return nearest
    squares, asked = _squares(points, radius), _squares(query, radius)
    # Squares are sorted, not drawn on a map: a point may lie anywhere.
    keys, first = np.unique(squares[:, 1] * _ROW + squares[:, 0], return_index=True)
    middle = (asked[:, 1] * _ROW + asked[:, 0])[:, None] + np.arange(-1, 2) * _ROW
    at = np.searchsorted(keys, middle - 1)[:, :, None] + np.arange(3)
    at = np.minimum(at, len(keys) - 1).reshape(len(query), 9)
    candidate = first[at]
    dx = points[candidate, 0] - query[:, :1]
    dy = points[candidate, 1] - query[:, 1:]
    # Squares that are none of the nine, because the row ends, are too far away by themselves.
    square = dx * dx + dy * dy
    best = square.argmin(axis=1)
    every = np.arange(len(query))
    near = square[every, best] <= radius * radius
    nearest[near] = candidate[every, best][near]
    return nearest


def _squares(points: NDArray[np.floating], radius: float) -> NDArray[np.int64]:
    """Column and row [N, 2] of the square that each point lies in."""
    wide = points.astype(np.float64) / radius
    return np.floor(np.clip(wide, -_FAR, _FAR)).astype(np.int64)
