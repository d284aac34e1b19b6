"""Places in rendered streets to take images from, and where points of one image are in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, exp_rotation
from coarse_loftr_ros.recordings.rendered.street import Street

__all__ = ["draw_place", "motion_with_parallax", "moved_points", "sensed"]

_SPACING = 16  # px, of the points that measure the parallax


def draw_place(random: np.random.Generator) -> tuple[Street, Pose]:
    """A street, and an optical frame in it that looks about along it."""
    street = Street(seed=int(random.integers(2**31)))
    eye = Pose(
        exp_rotation(random.uniform(-1, 1, 3) * (0.1, 0.4, 0.05)),
        np.array([0.0, 0.0, 20.0]) + random.uniform(-1, 1, 3) * (1.0, 0.3, 20.0),
    )
    return street, eye


def motion_with_parallax(
    street: Street,
    eye: Pose,
    rotation: NDArray[np.float64],
    way: NDArray[np.float64],
    parallax_px: float,
) -> Pose:
    """A turn, and a translation as long as the parallax asks for.

    Args:
        street: that is seen.
        eye: the reference's optical frame in it.
        rotation: float64 [3, 3].
        way: direction of the translation, float64 [3].
        parallax_px: median over the reference image of how far the translation moves points.

    Returns:
        The reference's optical frame in that of the current image.
    """
    columns, rows = (np.arange(_SPACING / 2, side, _SPACING) for side in (640, 480))
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    turned = moved_points(street, eye, Pose(rotation, np.zeros(3)), grid)
    length = 1e-3
    for _ in range(6):  # parallax is about proportional to the length
        shifted = moved_points(street, eye, Pose(rotation, length * way), grid)
        length *= parallax_px / float(np.median(np.linalg.norm(shifted - turned, axis=1)))
    return Pose(rotation, length * way)


def moved_points(
    street: Street, eye: Pose, motion: Pose, points: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Where points [N, 2] of the reference image are in the current one, px."""
    camera = street.intrinsics.matrix()
    rays = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(camera).T
    inverse = street.inverse_depths(eye, points)[:, None]
    seen = (rays @ motion.rotation.T + inverse * motion.translation) @ camera.T
    return seen[:, :2] / seen[:, 2:]


def sensed(
    image: NDArray[np.float32], contrast: float, noise: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """What a camera makes of an image: a share of its contrast, noise, whole grey levels."""
    mean = image.mean()
    disturbance = noise * random.standard_normal(image.shape, np.float32)
    return np.clip(np.rint(mean + contrast * (image - mean) + disturbance), 0, 255).astype(np.uint8)
