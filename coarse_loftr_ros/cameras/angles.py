"""Angles between rotations and between directions, the errors of relative poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["rotation_error", "translation_direction_error"]


def rotation_error(estimate: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Angle of the rotation between two rotations.

    Args:
        estimate: float64 [3, 3] rotation.
        truth: float64 [3, 3] rotation.

    Returns:
        Degrees in [0, 180].
    """
    difference = estimate.T @ truth
    # The sine keeps small angles exact, where the arc cosine of the trace loses half the digits.
    sine = np.linalg.norm(
        [
            difference[2, 1] - difference[1, 2],
            difference[0, 2] - difference[2, 0],
            difference[1, 0] - difference[0, 1],
        ]
    )
    return float(np.degrees(np.arctan2(sine, np.trace(difference) - 1.0)))


def translation_direction_error(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Angle between the lines along two translations.

    An essential matrix leaves the sign of the translation open, so a direction and its opposite
    count as the same, as in the relative pose figures of SuperGlue and LoFTR.

    Args:
        estimate: [3] translation of any length but zero.
        truth: [3] likewise.

    Returns:
        Degrees in [0, 90].

    Raises:
        ValueError: when a translation has no direction.
    """
    first, second = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    for name, vector in (("estimated", first), ("true", second)):
        if not np.linalg.norm(vector) > 0:
            raise ValueError(f"the {name} translation is {vector}; it must not be zero")
    angle = np.degrees(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second))
    return float(min(angle, 180.0 - angle))
