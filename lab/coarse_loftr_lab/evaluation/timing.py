"""Time per frame and per stage of several methods in one process, taking turns.

Each round runs every method on a few consecutive frames, so that a machine whose speed drifts is
equally kind to all, and ratios are formed round by round. The first frames of a turn are not
counted: another runtime's threads may still be spinning, and the method's own are waking up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.estimators import estimate_homography
from coarse_loftr_ros.features.pair_matcher import PairMatcher
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.pipeline import Pipeline

__all__ = [
    "MethodTimes",
    "Spread",
    "Subject",
    "own_subject",
    "pair_subject",
    "time_methods",
]

_TURN = 6  # consecutive frames of a method
_UNCOUNTED = 2  # of them, at the beginning

Step = Callable[[NDArray[np.uint8]], dict[str, float]]


@dataclass(frozen=True)
class Subject:
    """A method as the benchmark runs it.

    Attributes:
        name: for tables.
        step: takes the next frame, uint8 [H, W], and returns milliseconds per stage; it keeps
            what it can reuse of the frame before.
    """

    name: str
    step: Step


@dataclass(frozen=True)
class Spread:
    """Median and 10 to 90 % range, in milliseconds (or as a ratio)."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        low, median, high = np.percentile(values, [10, 50, 90])
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True)
class MethodTimes:
    """One method's times.

    Attributes:
        name: of the method.
        stages: milliseconds of each stage, in order, ``total`` last.
        ratios: its total over the total of each method that is referred to, round by round.
    """

    name: str
    stages: dict[str, Spread]
    ratios: dict[str, Spread]


def own_subject(name: str, pipeline: Pipeline) -> Subject:
    """The pipeline in its steady state: each frame is encoded once and matched with the last."""
    count = 0

    def step(image: NDArray[np.uint8]) -> dict[str, float]:
        nonlocal count
        count += 1
        start = time.perf_counter()
        result = pipeline.process(Frame(image, stamp=count))
        total = (time.perf_counter() - start) * 1e3
        stages = dict(result.timings_ms) if result else {}
        return {**stages, "total": total}

    return Subject(name, step)


def pair_subject(name: str, matcher: PairMatcher) -> Subject:
    """A baseline in its steady state: each frame is described once and matched with the last."""
    previous: object | None = None

    def step(image: NDArray[np.uint8]) -> dict[str, float]:
        nonlocal previous
        times = [time.perf_counter()]
        described = matcher.describe(image)
        times.append(time.perf_counter())
        stages = {}
        if previous is not None:
            matches = matcher.match(previous, described)
            times.append(time.perf_counter())
            estimate_homography(matches)
            times.append(time.perf_counter())
            describe, match, homography = np.diff(times) * 1e3
            stages = {"encode": describe, "match": match, "homography": homography}
        previous = described
        return {**stages, "total": (times[-1] - times[0]) * 1e3}

    return Subject(name, step)


def time_methods(
    subjects: Sequence[Subject],
    frames: Sequence[NDArray[np.uint8]],
    rounds: int,
    references: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[MethodTimes]:
    """Measure methods in turn.

    Args:
        subjects: methods with different names.
        frames: consecutive frames of one camera; run through forth and back, so that every
            frame follows its neighbour.
        rounds: turns of each method that are counted, after one that is not.
        references: ratios refer to this many of the first subjects, each by itself.
        progress: called with rounds done and in all.

    Raises:
        ValueError: when there are fewer than two frames or no rounds.
    """
    if len(frames) < 2 or rounds < 1:
        raise ValueError(f"{len(frames)} frames and {rounds} rounds; at least 2 and 1 are needed")
    there_and_back = [*frames, *frames[-2:0:-1]]
    turns: list[list[dict[str, float]]] = [[] for _ in subjects]
    for number in range(rounds + 1):
        first = number * _TURN
        turn = [there_and_back[k % len(there_and_back)] for k in range(first, first + _TURN)]
        for subject, rows in zip(subjects, turns, strict=True):
            stages = [subject.step(frame) for frame in turn][_UNCOUNTED:]
            if number > 0:
                rows.append(_medians(stages))
        if progress is not None:
            progress(number + 1, rounds + 1)
    totals = [[row["total"] for row in rows] for rows in turns]
    return [
        MethodTimes(
            subject.name,
            {stage: Spread.of([row[stage] for row in rows]) for stage in rows[0]},
            {
                other.name: Spread.of([a / b for a, b in zip(total, of_other, strict=True)])
                for other, of_other in zip(subjects[:references], totals[:references], strict=True)
            },
        )
        for subject, rows, total in zip(subjects, turns, totals, strict=True)
    ]


def _medians(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Per stage, over the frames of a turn."""
    return {stage: float(np.median([row[stage] for row in rows])) for stage in rows[0]}
