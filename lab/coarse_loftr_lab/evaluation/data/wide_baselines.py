"""Pairs of rendered images from places far apart, with exact truth.

Streets, seen with a parallax of 60 to 140 px (median) under turns of up to 6, 18 and 10 degrees
(tilt, pan, roll). Deterministic: the same count and seed give the same pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from coarse_loftr_lab.evaluation.data.pose_pairs import PosePair
from coarse_loftr_lab.evaluation.data.street_scenes import (
    draw_place,
    motion_with_parallax,
    sensed,
)
from coarse_loftr_ros.cameras.pose import exp_rotation

__all__ = ["WideBaselines"]

_PARALLAX_PX = (60.0, 140.0)
_MOST_TURN_DEG = (6.0, 18.0, 10.0)
_NOISE = 2.0  # standard deviation, grey levels


class WideBaselines:
    """The pairs, made one at a time.

    Args:
        count: number of pairs, each of a street of its own.
        seed: another seed gives other pairs.

    Raises:
        ValueError: when ``count`` is less than 1.
    """

    def __init__(self, count: int = 80, seed: int = 0) -> None:
        if count < 1:
            raise ValueError(f"count is {count}; it must be at least 1")
        self._count, self._seed = count, seed

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[PosePair]:
        for index in range(self._count):
            random = np.random.default_rng([self._seed, index])
            street, eye = draw_place(random)
            way = random.standard_normal(3)
            rotation = exp_rotation(np.radians(random.uniform(-1, 1, 3) * _MOST_TURN_DEG))
            motion = motion_with_parallax(
                street, eye, rotation, way / np.linalg.norm(way), random.uniform(*_PARALLAX_PX)
            )
            images = (
                sensed(street.view(each), 1.0, _NOISE, random)
                for each in (eye, eye @ motion.inverse)
            )
            camera = street.intrinsics.matrix()
            yield PosePair(
                f"street {index:03d}", *images, camera, camera, motion.rotation, motion.translation
            )
