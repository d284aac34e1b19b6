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

from coarse_loftr_lab.evaluation.data.street_scenes import (
    draw_place,
    motion_with_parallax,
    moved_points,
    sensed,
)
from coarse_loftr_ros.cameras.pose import Pose, exp_rotation
from coarse_loftr_ros.recordings.rendered.street import Street

__all__ = ["DOSES_PX", "SURFACES", "Surface", "TinyMotion", "TinyMotions"]

DOSES_PX = (0.2, 0.5, 1.0, 2.0, 3.0)
_MOST_TURN_DEG = 0.5


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
        return moved_points(self.street, self.eye, self.motion, points)


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
            street, eye = draw_place(random)
            reference = street.view(eye)
            for dose in DOSES_PX:
                motion = _motion(street, eye, dose, random)
                current = street.view(eye @ motion.inverse)
                for surface in SURFACES:
                    images = (
                        sensed(each, surface.contrast, surface.noise, random)
                        for each in (reference, current)
                    )
                    yield TinyMotion(surface.name, dose, scene, *images, street, eye, motion)


def _motion(street: Street, eye: Pose, dose: float, random: np.random.Generator) -> Pose:
    """A turn, and a translation as long as the dose asks for, both in any direction."""
    turn, way = (each / np.linalg.norm(each) for each in random.standard_normal((2, 3)))
    rotation = exp_rotation(turn * np.radians(random.uniform(0, _MOST_TURN_DEG)))
    return motion_with_parallax(street, eye, rotation, way, dose)
