"""Random homographies between two views of a photograph."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["HomographyRange", "random_homography"]


@dataclass(frozen=True)
class HomographyRange:
    """How far the second view of a photograph may differ from the first.

    Attributes:
        rotation: common in-plane rotation, degrees either way.
        wide_rotation: the same for the share of wide pairs.
        scale: common change of scale (1.4 means 1 / 1.4 to 1.4).
        wide_scale: the same for the wide pairs.
        shift: of the centre, share of the image size either way.
        perspective: displacement of each corner, share of the image size either way.
        wide_share: share of pairs drawn from the wide ranges.
        turned_share: share of pairs with any in-plane rotation up to 180 degrees.
    """

    rotation: float = 15.0
    wide_rotation: float = 75.0
    scale: float = 1.4
    wide_scale: float = 2.5
    shift: float = 0.22
    perspective: float = 0.13
    wide_share: float = 0.4
    turned_share: float = 0.05


def random_homography(
    size: tuple[int, int],
    rng: np.random.Generator,
    limits: HomographyRange,
    strength: float = 1.0,
) -> NDArray[np.float64]:
    """A homography from reference to current pixels, float64 [3, 3].

    Args:
        size: (width, height) of both views, px.
        rng: source of randomness.
        limits: the ranges.
        strength: 0 gives the identity, 1 the full ranges (for a curriculum).
    """
    extent = np.array(size, np.float64)
    kind = rng.random()
    wide = kind < limits.wide_share
    rotation = limits.wide_rotation if wide else limits.rotation
    if kind > 1.0 - limits.turned_share:
        rotation = 180.0
    scale = limits.wide_scale if wide else limits.scale
    angle = np.deg2rad(rng.uniform(-rotation, rotation) * strength)
    zoom = np.exp(rng.uniform(-1, 1) * np.log(scale) * strength)
    centre = (extent - 1) / 2
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64) * (extent - 1)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (corners - centre) @ turn.T + centre
    moved += rng.uniform(-1, 1, 2) * limits.shift * extent * strength
    moved += rng.uniform(-1, 1, (4, 2)) * limits.perspective * extent * strength
    return cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
