"""Pairs under one kind of stress at a time, in growing doses, with exact truth.

All pairs of an index show the same photograph under the same modest change of viewpoint, so that
the doses of a suite, and the suites among each other, differ in their stress alone. Deterministic:
the same folder, seed and index give the same pair.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_lab.evaluation.data.random_homographies import (
    MODERATE,
    draw_homography,
    find_photographs,
)
from coarse_loftr_lab.evaluation.data.split import held_out
from coarse_loftr_lab.evaluation.data.stress_suites import SUITES, Scene, Suite
from coarse_loftr_ros.recordings.image_files import read_grey

__all__ = ["MixedStressPairs", "StressPairs"]

VIEWPOINT = dataclasses.replace(MODERATE, strong_share=0.0)


class StressPairs:
    """Pairs of one suite under one dose.

    Args:
        directory: folder that is searched for photographs, with all folders below it.
        suite: kind of stress; ``None`` for none.
        dose: how strong, in the unit of the suite.
        count: number of pairs; photographs are used again where there are fewer.
        seed: another seed gives other viewpoints and chance.
        keep: which images are used; those kept out of training unless told otherwise.

    Raises:
        NotADirectoryError: when there is no such folder.
        ValueError: when no image in it is kept, or ``count`` is less than 1.
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
        if count < 1:
            raise ValueError(f"count is {count}; it must be at least 1")
        self._files = find_photographs(directory, keep)
        self._suite = suite
        self._dose = dose
        self._count = count
        self._seed = seed

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> HomographyPair:
        """The pair with this index; the same however often and in whatever order it is asked."""
        if not 0 <= index < self._count:
            raise IndexError(f"pair {index} of {self._count}")
        return _make_pair(self._files, self._suite, self._dose, self._seed, index)

    def __iter__(self) -> Iterator[HomographyPair]:
        return (self[index] for index in range(self._count))


class MixedStressPairs:
    """Pairs of all kinds: every other one without stress, the others under any dose of any suite.

    Args:
        directory: as for ``StressPairs``.
        count: number of pairs.
        seed: likewise.
        keep: likewise.
    """

    def __init__(
        self,
        directory: Path,
        count: int = 200,
        seed: int = 1,
        keep: Callable[[Path], bool] = held_out,
    ) -> None:
        if count < 1:
            raise ValueError(f"count is {count}; it must be at least 1")
        self._files = find_photographs(directory, keep)
        self._count = count
        self._seed = seed

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[HomographyPair]:
        suites = list(SUITES.values())
        for index in range(self._count):
            random = np.random.default_rng([self._seed, index, 2])
            suite = suites[random.integers(len(suites))] if index % 2 else None
            dose = float(random.choice(suite.doses)) if suite else 0.0
            yield _make_pair(self._files, suite, dose, self._seed, index)


def _make_pair(
    files: list[Path], suite: Suite | None, dose: float, seed: int, index: int
) -> HomographyPair:
    path, other = (files[(index + k) % len(files)] for k in (0, 1))
    scene = Scene(
        _photograph(path),
        _photograph(other),
        draw_homography(VIEWPOINT, np.random.default_rng([seed, index])),
        np.random.default_rng([seed, index, 1]),
    )
    if suite is None:
        made, kind = scene.pair(*scene.views()), "calm"
    else:
        made, kind = suite.make(scene, dose), f"{suite.name} {dose:g}"
    return HomographyPair(f"{kind} {index:03d} {path.parent.name}/{path.name}", *made)


@lru_cache(maxsize=64)
def _photograph(path: Path) -> NDArray[np.uint8]:
    return read_grey(path)
