"""Mutual nearest neighbours of a similarity matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["mutual_nearest"]


def mutual_nearest(
    similarity: NDArray[np.float32], minimum: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Pairs of a row and a column that are each other's best, above a threshold.

    Args:
        similarity: float32 [N, M]; larger is better.
        minimum: a pair is kept when its similarity is greater than this.

    Returns:
        Rows [K] in rising order, their columns [K], and the similarities float32 [K].
    """
    if 0 in similarity.shape:
        nothing = np.zeros(0, np.intp)
        return nothing, nothing.copy(), np.zeros(0, np.float32)
    column_of_row = similarity.argmax(axis=1)
    row_of_column = similarity.argmax(axis=0)
    rows = np.arange(len(similarity))
    best = similarity[rows, column_of_row]
    rows = rows[(row_of_column[column_of_row] == rows) & (best > minimum)]
    return rows, column_of_row[rows], best[rows].astype(np.float32, copy=False)
