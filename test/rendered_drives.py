"""Images of a stereo camera in a street and of one over a floor, whose motion is known exactly."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scenes import texture, view

from coarse_loftr_ros.images.frame import Intrinsics

WIDTH, HEIGHT = 480, 288
CAMERA = Intrinsics(300.0, 300.0, 239.5, 143.5)
BASELINE_M = 0.4
GROUND_M = 1.5  # of the street below its camera
ALTITUDE_M = 4.0  # of the camera over the floor
_PIXELS_PER_M = 60.0


@cache
def _surface(seed: int) -> NDArray[np.uint8]:
    return texture(1024, 1024, seed)


def street(ahead: float, to_the_right: float = 0.0) -> NDArray[np.uint8]:
    """A street between two walls, 4 m to each side, that ends at a third one after 50 m.

    Args:
        ahead: where the camera is, metres from the start of the street.
        to_the_right: metres of a camera beside the first one.
    """
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    x, y = (u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy
    image, nearest = np.zeros((HEIGHT, WIDTH), np.uint8), np.full((HEIGHT, WIDTH), np.inf)
    with np.errstate(divide="ignore"):
        # Depth along each ray at which it meets the ground, the walls and the end.
        depths = GROUND_M / y, (4.0 - to_the_right) / x, (-4.0 - to_the_right) / x
    for k, depth in enumerate((*depths, np.full_like(x, 50.0 - ahead))):
        met = (depth > 0) & (depth < nearest)
        nearest[met] = depth[met]
        point = x * depth + to_the_right, y * depth, depth + ahead
        first, second = {0: (0, 2), 3: (0, 1)}.get(k, (1, 2))
        where = [np.where(met, _PIXELS_PER_M * point[axis], 0.0) for axis in (first, second)]
        maps = [np.mod(axis, 1023.0).astype(np.float32) for axis in where]
        image[met] = cv2.remap(_surface(k), *maps, cv2.INTER_LINEAR)[met]
    return image


def floor(ahead: float) -> NDArray[np.uint8]:
    """A floor seen straight from above, the top of the image ahead; it is 30 m long.

    Args:
        ahead: where the camera is, metres from the start of the floor.
    """
    zoom = CAMERA.fx / (ALTITUDE_M * _PIXELS_PER_M)
    begin = _long_surface().shape[0] - HEIGHT / zoom - ahead * _PIXELS_PER_M
    image_of = np.array([[zoom, 0, 0], [0, zoom, -zoom * begin], [0, 0, 1]])
    return view(_long_surface(), image_of, WIDTH, HEIGHT, seed=round(1000 * ahead))


@cache
def _long_surface() -> NDArray[np.uint8]:
    return texture(600, 30 * 60, seed=5)
