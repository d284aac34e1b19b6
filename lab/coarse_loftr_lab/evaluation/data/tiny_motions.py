"""Pairs of rendered images between which the camera hardly moved, with exact truth.

A hand-held camera at 30 Hz: a translation in any direction, so short that parallax is a fraction
of a pixel or a few, under a turn of up to half a degree, which moves the image by more than that.
Deterministic: the same count and seed give the same pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, exp_rotation
from coarse_loftr_ros.recordings.rendered.street import Street

__all__ = ["DOSES_PX", "SURFACES", "Surface", "TinyMotion", "TinyMotions"]

DOSES_PX = (0.2, 0.5, 1.0, 2.0, 3.0)
_MOST_TURN_DEG = 0.5
_SPACING = 16  # px, of the points that measure the parallax


@dataclass(frozen=True)
class Surface:
    """What the images look like.

    Attributes:
        name: of the table.
        contrast: share of the scene's own contrast.
        noise: standard deviation, grey levels, of both images.
    """

    name: str
    contrast: float
    noise: float


SURFACES = (
    Surface("textured", 1.0, 2.0),
    Surface("little texture", 0.25, 2.0),
    Surface("noise", 1.0, 10.0),
)


@dataclass(frozen=True, eq=False)
class TinyMotion:
    """Two images and the true motion between them: ``x_current = R @ x_reference + t``.

    Attributes:
        surface: name of what the images look like.
        dose: median parallax over the reference image, px.
        scene: number of the scene.
        reference: grey, uint8 [480, 640].
        current: grey, uint8 [480, 640].
        street: that both show.
        eye: optical frame of the reference image in the street.
        motion: the reference's optical frame in that of the current image.
    """

    surface: str
    dose: float
    scene: int
    reference: NDArray[np.uint8]
    current: NDArray[np.uint8]
    street: Street
    eye: Pose
    motion: Pose

    @cached_property
    def camera(self) -> NDArray[np.float64]:
        """Camera matrix [3, 3] of both images."""
        return self.street.intrinsics.matrix()

    def moved(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where points [N, 2] of the reference image are in the current one, px."""
        return _moved(self.street, self.eye, self.motion, points)


class TinyMotions:
    """Scenes, each under every dose and on every surface.

    Args:
        count: number of scenes.
        seed: another seed gives other scenes.

    Raises:
        ValueError: when ``count`` is less than 1.
    """

    def __init__(self, count: int = 24, seed: int = 0) -> None:
        if count < 1:
            raise ValueError(f"count is {count}; it must be at least 1")
        self._count = count
        self._seed = seed

    def __len__(self) -> int:
        return self._count * len(DOSES_PX) * len(SURFACES)

    def __iter__(self) -> Iterator[TinyMotion]:
        for scene in range(self._count):
            random = np.random.default_rng([self._seed, scene])
            street = Street(seed=int(random.integers(2**31)))
            eye = Pose(
                exp_rotation(random.uniform(-1, 1, 3) * (0.1, 0.4, 0.05)),
                np.array([0.0, 0.0, 20.0]) + random.uniform(-1, 1, 3) * (1.0, 0.3, 20.0),
            )
            reference = street.view(eye)
            for dose in DOSES_PX:
                motion = _motion(street, eye, dose, random)
                current = street.view(eye @ motion.inverse)
                for surface in SURFACES:
                    images = (_sensed(each, surface, random) for each in (reference, current))
                    yield TinyMotion(surface.name, dose, scene, *images, street, eye, motion)


def _motion(street: Street, eye: Pose, dose: float, random: np.random.Generator) -> Pose:
    """A turn, and a translation as long as the dose asks for, both in any direction."""
    turn, way = (each / np.linalg.norm(each) for each in random.standard_normal((2, 3)))
    rotation = exp_rotation(turn * np.radians(random.uniform(0, _MOST_TURN_DEG)))
    columns, rows = (np.arange(_SPACING / 2, side, _SPACING) for side in (640, 480))
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    turned = _moved(street, eye, Pose(rotation, np.zeros(3)), grid)
    length = 1e-3
    for _ in range(4):  # parallax is all but proportional to the length
        shifted = _moved(street, eye, Pose(rotation, length * way), grid)
        length *= dose / float(np.median(np.linalg.norm(shifted - turned, axis=1)))
    return Pose(rotation, length * way)


def _moved(
    street: Street, eye: Pose, motion: Pose, points: NDArray[np.floating]
) -> NDArray[np.float64]:
    camera = street.intrinsics.matrix()
    rays = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(camera).T
    inverse = street.inverse_depths(eye, points)[:, None]
    seen = (rays @ motion.rotation.T + inverse * motion.translation) @ camera.T
    return seen[:, :2] / seen[:, 2:]


def _sensed(
    image: NDArray[np.float32], surface: Surface, random: np.random.Generator
) -> NDArray[np.uint8]:
    mean = image.mean()
    noise = surface.noise * random.standard_normal(image.shape, np.float32)
    return np.clip(np.rint(mean + surface.contrast * (image - mean) + noise), 0, 255).astype(
        np.uint8
    )
