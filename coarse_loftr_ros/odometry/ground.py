"""The ground below a camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ground_height"]

_LEAST_POINTS = 12
_MOST_SHARE = 0.3  # a distance known worse than this share of it says nothing of the ground
_LEAST_SINE = 0.05  # of the angle between a ray and the ground
_MODE_WIDTH = 0.03  # of the logarithm of the height
_NEAR_MODE = 0.15


def ground_height(
    points: NDArray[np.float64],
    share: NDArray[np.float64],
    down: NDArray[np.float64],
    largest_angle: float,
) -> float | None:
    """Height of the camera over the plane below it, in the unit of the points.

    The height that most points share is taken (each votes with a normal density as wide as it is
    sure), then a plane through them is fitted; a plane that leans away from the ground's expected
    normal is refused.

    Args:
        points: float64 [N, 3], in the camera.
        share: standard deviation of their distance, as a share of it [N].
        down: unit vector, float64 [3], the ground's expected normal.
        largest_angle: between the plane found and ``down``, radians.
    """
    height = points @ down
    # Shallow rays turn a small error of the camera's tilt into a large one of the height.
    low = (height > _LEAST_SINE * np.linalg.norm(points, axis=1)) & (share < _MOST_SHARE)
    if np.count_nonzero(low) < _LEAST_POINTS:
        return None
    points, height, sigma = points[low], height[low], np.maximum(share[low], 0.02)
    logs = np.log(height)
    levels = np.arange(logs.min(), logs.max() + _MODE_WIDTH, 0.5 * _MODE_WIDTH)
    pull = (levels[:, None] - logs) / np.hypot(sigma, _MODE_WIDTH)
    votes = np.exp(-0.5 * pull**2).sum(axis=1)
    near = np.abs(logs - levels[int(np.argmax(votes))]) < _NEAR_MODE
    length = 0.0
    for _ in range(3):
        if np.count_nonzero(near) < _LEAST_POINTS:
            return None
        # normal . point = 1 is linear in normal / height; rows weigh by their precision.
        weight = 1.0 / sigma[near]
        plane = np.linalg.lstsq(points[near] * weight[:, None], weight, rcond=None)[0]
        length = float(np.linalg.norm(plane))
        if length <= 0.0 or plane @ down < np.cos(largest_angle) * length:
            return None
        near = np.abs(points @ plane - 1.0) < np.maximum(0.05, 2.0 * sigma)
    return 1.0 / length
