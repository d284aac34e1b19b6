"""How well methods see motions of a fraction of a pixel to a few, side by side.

Every method's matches go through the same estimator (essential matrix, MAGSAC, 1 px). So near to
nothing its answer depends on the order of the matches, too; each pair is estimated from several
orders and counts with the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from coarse_loftr_lab.evaluation.data.tiny_motions import TinyMotion
from coarse_loftr_lab.evaluation.estimators import estimate_pose
from coarse_loftr_lab.evaluation.measuring import Progress, refuse_equal_names
from coarse_loftr_lab.evaluation.metrics import bootstrap_interval
from coarse_loftr_ros.features.pair_matcher import PairMatcher, PointMatches

__all__ = ["TinyMotionLevel", "TinyMotionReport", "evaluate_tiny_motion"]

_ORDERS = 5
_WRONG_PX = 1.5  # farther off, a match is wrong, and not noisy
_NO_ESTIMATE_DEG = 90.0  # direction error of a pair without an estimate: nothing is known


class TinyMotionPairs(Protocol):
    """Pairs that are made one at a time."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[TinyMotion]: ...


@dataclass(frozen=True)
class TinyMotionLevel:
    """One method on one surface under one dose.

    Attributes:
        method: the method's name.
        surface: what the images look like.
        dose: median parallax, px.
        pairs: how many pairs.
        direction_deg: median over the pairs of the translation-direction error.
        low_deg: lower end of its 95 % bootstrap interval.
        high_deg: upper end.
        noise_px: median over the pairs of the root mean square error of a coordinate of the
            current points, without those farther off than 1.5 px; infinite without matches.
        typical_px: the same by the median of the absolute errors, as a standard deviation.
        matches: median number of matches per pair.
    """

    method: str
    surface: str
    dose: float
    pairs: int
    direction_deg: float
    low_deg: float
    high_deg: float
    noise_px: float
    typical_px: float
    matches: float


@dataclass(frozen=True)
class TinyMotionReport:
    """All methods on all surfaces under all doses.

    Attributes:
        levels: one per surface, dose and method.
    """

    levels: tuple[TinyMotionLevel, ...]


def evaluate_tiny_motion(
    matchers: Sequence[PairMatcher], pairs: TinyMotionPairs, progress: Progress | None = None
) -> TinyMotionReport:
    """Measure methods on pairs of images between which the camera hardly moved.

    Args:
        matchers: methods with different names.
        pairs: with their truth.
        progress: called after each pair and method.

    Raises:
        ValueError: when two methods have the same name.
    """
    refuse_equal_names(matchers)
    # Direction error, noise, typical error and number of matches of each pair.
    found: dict[tuple[str, float, str], list[tuple[float, float, float, int]]] = {}
    done = 0
    for pair in pairs:
        for matcher in matchers:
            matches = matcher.match(
                matcher.describe(pair.reference), matcher.describe(pair.current)
            )
            key = pair.surface, pair.dose, matcher.name
            found.setdefault(key, []).append(
                (_direction_error(matches, pair), *_noise(matches, pair), len(matches))
            )
            done += 1
            if progress is not None:
                step = f"{matcher.name}: {pair.surface}, {pair.dose:g} px, scene {pair.scene}"
                progress(done, len(pairs) * len(matchers), step)
    return TinyMotionReport(tuple(_level(*key, values) for key, values in found.items()))


def _direction_error(matches: PointMatches, pair: TinyMotion) -> float:
    """Mean over several orders of the matches, degrees."""
    random, errors = np.random.default_rng(0), []
    for _ in range(_ORDERS):
        order = random.permutation(len(matches))
        shuffled = PointMatches(
            matches.reference_points[order],
            matches.current_points[order],
            matches.confidence[order],
        )
        estimate = estimate_pose(shuffled, pair.camera, pair.camera)
        _, error = estimate.errors(pair.motion.rotation, pair.motion.translation)
        errors.append(min(error, _NO_ESTIMATE_DEG))
    return float(np.mean(errors))


def _noise(matches: PointMatches, pair: TinyMotion) -> tuple[float, float]:
    """Root mean square, and what the median says it were of normal errors, px."""
    errors = np.abs(matches.current_points - pair.moved(matches.reference_points))
    right = errors[errors < _WRONG_PX]
    if not len(right):
        return float("inf"), float("inf")
    return float(np.sqrt(np.mean(right**2))), 1.4826 * float(np.median(errors))


def _level(
    surface: str, dose: float, method: str, values: Sequence[tuple[float, float, float, int]]
) -> TinyMotionLevel:
    direction, noise, typical, matches = (np.array(column) for column in zip(*values, strict=True))
    low, high = bootstrap_interval(direction.tolist(), lambda sample: float(np.median(sample)))
    return TinyMotionLevel(
        method=method,
        surface=surface,
        dose=dose,
        pairs=len(values),
        direction_deg=float(np.median(direction)),
        low_deg=low,
        high_deg=high,
        noise_px=float(np.median(noise)),
        typical_px=float(np.median(typical)),
        matches=float(np.median(matches)),
    )
