"""Pairs under one kind of stress at a time, in growing doses, with exact truth.

All pairs of an index show the same photograph under the same modest change of viewpoint, so that
the doses of a suite, and the suites among each other, differ in their stress alone. Deterministic:
the same folder, seed and index give the same pair.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_lab.evaluation.data.photographs import PhotographPairs
from coarse_loftr_lab.evaluation.data.random_homographies import MODERATE, draw_homography
from coarse_loftr_lab.evaluation.data.split import held_out
from coarse_loftr_lab.evaluation.data.stress_suites import SUITES, StressScene, Suite
from coarse_loftr_ros.recordings.image_files import read_grey

__all__ = ["MixedStressPairs", "StressPairs"]

VIEWPOINT = dataclasses.replace(MODERATE, strong_share=0.0)


class StressPairs(PhotographPairs):
    """Pairs of one suite under one dose.

    Args:
        directory: see ``PhotographPairs``.
        suite: kind of stress; ``None`` for none.
        dose: how strong, in the unit of the suite.
        count: see ``PhotographPairs``.
        seed: another seed gives other viewpoints and chance.
        keep: see ``PhotographPairs``.

    Raises:
        NotADirectoryError: see ``PhotographPairs``.
        ValueError: likewise.
    """

    def __init__(
        self,
        directory: Path,
        suite: Suite | None,
        dose: float = 0.0,
        count: int = 12,
        seed: int = 0,
        keep: Callable[[Path], bool] = held_out,
    ) -> None:
        super().__init__(directory, count, seed, keep)
        self._suite = suite
        self._dose = dose

    def _make(self, index: int) -> HomographyPair:
        return _make_pair(self, self._suite, self._dose, index)


class MixedStressPairs(PhotographPairs):
    """Pairs of all kinds: every other one without stress, the others under any dose of any suite.

    Args and errors are those of ``PhotographPairs``.
    """

    def __init__(
        self,
        directory: Path,
        count: int = 200,
        seed: int = 1,
        keep: Callable[[Path], bool] = held_out,
    ) -> None:
        super().__init__(directory, count, seed, keep)

    def _make(self, index: int) -> HomographyPair:
        suites = list(SUITES.values())
        random = np.random.default_rng([self.seed, index, 2])
        suite = suites[random.integers(len(suites))] if index % 2 else None
        dose = float(random.choice(suite.doses)) if suite else 0.0
        return _make_pair(self, suite, dose, index)


def _make_pair(
    pairs: PhotographPairs, suite: Suite | None, dose: float, index: int
) -> HomographyPair:
    path, other = pairs.photograph(index), pairs.photograph(index + 1)
    scene = StressScene(
        _photograph(path),
        _photograph(other),
        draw_homography(VIEWPOINT, np.random.default_rng([pairs.seed, index])),
        np.random.default_rng([pairs.seed, index, 1]),
    )
    if suite is None:
        made, kind = scene.pair(*scene.views()), "calm"
    else:
        made, kind = suite.make(scene, dose), f"{suite.name} {dose:g}"
    return HomographyPair(f"{kind} {index:03d} {path.parent.name}/{path.name}", *made)


@lru_cache(maxsize=64)
def _photograph(path: Path) -> NDArray[np.uint8]:
    return read_grey(path)
