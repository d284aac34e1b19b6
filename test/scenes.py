"""Images that tests make: a textured plane seen by a moving camera, with exact truth."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def texture(width: int = 900, height: int = 700, seed: int = 0) -> NDArray[np.uint8]:
    """A plane with structure at every scale: smooth noise, and polygons with sharp corners."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width), np.float32)
    for cells in (6, 18, 60, 180):
        noise = rng.uniform(0, 1, (cells * height // width + 2, cells)).astype(np.float32)
        image += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * (
            80 / cells**0.3
        )
    for _ in range(220):
        centre = rng.uniform((0, 0), (width, height))
        corners = centre + rng.uniform(-30, 30, (rng.integers(3, 6), 2))
        cv2.fillPoly(image, [corners.astype(np.int32)], float(rng.uniform(0, 255)))
    image = cv2.GaussianBlur(image, (0, 0), 0.8)
    return np.clip(image, 0, 255).astype(np.uint8)


def view(
    plane: NDArray[np.uint8],
    homography: NDArray[np.floating],
    width: int = 640,
    height: int = 480,
    noise: float = 1.5,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """The plane through a homography from plane to image pixels, with a camera's noise."""
    image = cv2.warpPerspective(plane, homography, (width, height), borderMode=cv2.BORDER_REFLECT)
    rng = np.random.default_rng((seed, width))
    noisy = image + rng.standard_normal(image.shape) * noise
    return np.clip(noisy + 0.5, 0, 255).astype(np.uint8)


def motion(
    dx: float = 0.0, dy: float = 0.0, degrees: float = 0.0, zoom: float = 1.0, tilt: float = 0.0
) -> NDArray[np.float64]:
    """A homography of a 640x480 image about its centre: zoom, turn, tilt, then shift."""
    c, s = zoom * np.cos(np.deg2rad(degrees)), zoom * np.sin(np.deg2rad(degrees))
    centre = np.array([[1, 0, 319.5], [0, 1, 239.5], [0, 0, 1.0]])
    turn = np.array([[c, -s, dx], [s, c, dy], [tilt, 0, 1.0]])
    return centre @ turn @ np.linalg.inv(centre)


def corner_error(
    estimate: NDArray[np.floating], truth: NDArray[np.floating], width: int, height: int
) -> float:
    """Mean distance in px of the four image corners moved by two homographies."""
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)
    moved = [cv2.perspectiveTransform(corners[:, None], np.asarray(m)) for m in (estimate, truth)]
    return float(np.linalg.norm(moved[0] - moved[1], axis=2).mean())
