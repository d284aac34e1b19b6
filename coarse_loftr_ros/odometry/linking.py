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
    query; of points that share a square (closer than the accuracy of a match) one is kept.

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
    keys = squares[:, 1] * _ROW + squares[:, 0]
    order = np.argsort(keys, kind="stable")
    about = (np.arange(-1, 2)[:, None] * _ROW + np.arange(-1, 2)).ravel()
    wanted = (asked[:, 1] * _ROW + asked[:, 0])[:, None] + about
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    candidate = order[at]
    candidate[keys[candidate] != wanted] = -1
    offset = points[candidate] - query[:, None]
    square = np.where(candidate >= 0, np.einsum("nck,nck->nc", offset, offset), np.inf)
    best = square.argmin(axis=1)
    every = np.arange(len(query))
    near = square[every, best] <= radius * radius
    nearest[near] = candidate[every, best][near]
    return nearest


def _squares(points: NDArray[np.floating], radius: float) -> NDArray[np.int64]:
    """Column and row [N, 2] of the square that each point lies in."""
    wide = points.astype(np.float64) / radius
    return np.floor(np.clip(wide, -_FAR, _FAR)).astype(np.int64)
