"""What a number format costs in accuracy and gains in time, beside float32."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.confidence_calibration import evaluate_calibration
from coarse_loftr_lab.evaluation.homography_accuracy import (
    HomographyPairs,
    HomographyResult,
    HomographySummary,
    match_pairs,
    summarise_homography,
)
from coarse_loftr_lab.evaluation.measuring import Progress
from coarse_loftr_lab.evaluation.metrics import bootstrap_interval
from coarse_loftr_lab.evaluation.timing import Spread
from coarse_loftr_ros.backends.base import Backend
from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = [
    "EncoderTimes",
    "ErrorChange",
    "OnPairs",
    "PrecisionReport",
    "PrecisionRow",
    "evaluate_precisions",
    "time_encoders",
]

LARGEST_ERROR_PX = 10.0
_TURN, _UNCOUNTED = 12, 2  # images of a backend in one turn, and those of them that warm it up


@dataclass(frozen=True)
class ErrorChange:
    """Mean corner error over that in float32 on the same pairs, less 1, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class OnPairs:
    """One method on one kind of pairs.

    Attributes:
        kind: name of the pairs.
        summary: its figures.
        change: of the mean corner error, each error at most 10 px.
    """

    kind: str
    summary: HomographySummary
    change: ErrorChange


@dataclass(frozen=True)
class PrecisionRow:
    """One model in one precision.

    Attributes:
        method: the method's name.
        megabytes: of its ONNX graphs.
        results: one per kind of pairs.
        calibration_error: expected calibration error of the confidences as published.
    """

    method: str
    megabytes: float
    results: tuple[OnPairs, ...]
    calibration_error: float


@dataclass(frozen=True)
class EncoderTimes:
    """One encoder.

    Attributes:
        name: for tables.
        milliseconds: for one image.
        speedup: time of the first encoder over this one's, turn by turn.
    """

    name: str
    milliseconds: Spread
    speedup: Spread


@dataclass(frozen=True)
class PrecisionReport:
    """All models in all precisions.

    Attributes:
        rows: in the order the methods were given.
        times: encoders of all models; the first of each model is float32.
    """

    rows: tuple[PrecisionRow, ...]
    times: tuple[EncoderTimes, ...]


def evaluate_precisions(
    methods: Sequence[PairMatcher],
    references: Mapping[str, str],
    megabytes: Mapping[str, float],
    pairs: Mapping[str, HomographyPairs],
    mixed: HomographyPairs,
    progress: Progress | None = None,
) -> tuple[PrecisionRow, ...]:
    """Measure models in several precisions.

    Args:
        methods: models in precisions, with different names.
        references: name of the method in float32 with which each is compared, by its name.
        megabytes: of each method's graphs, by its name.
        pairs: with truth, by the name of their kind.
        mixed: easy and hard pairs for the confidences.
        progress: called after each pair and method.
    """
    lengths = [len(methods) * len(each) for each in (*pairs.values(), mixed)]

    def part(number: int) -> Progress | None:
        if progress is None:
            return None
        before = sum(lengths[:number])
        return lambda done, _, what: progress(before + done, sum(lengths), what)

    results = {
        kind: match_pairs(methods, each, part(number))
        for number, (kind, each) in enumerate(pairs.items())
    }
    calibrations = evaluate_calibration(methods, mixed, part(len(pairs))).calibrations
    errors = {each.method: each.calibration_error for each in calibrations}

    def row(name: str) -> PrecisionRow:
        on_pairs = []
        for kind, found in results.items():
            own, before = _of(name, found), _of(references[name], found)
            on_pairs.append(OnPairs(kind, summarise_homography(own), _change(own, before)))
        return PrecisionRow(name, megabytes[name], tuple(on_pairs), errors[name])

    return tuple(row(method.name) for method in methods)


def _of(method: str, results: Sequence[HomographyResult]) -> list[HomographyResult]:
    return [result for result in results if result.method == method]


def _change(
    results: Sequence[HomographyResult], reference: Sequence[HomographyResult]
) -> ErrorChange:
    """Both on the same pairs in the same order; pairs are drawn together."""
    errors, before = (
        np.minimum([result.corner_error_px for result in each], LARGEST_ERROR_PX)
        for each in (results, reference)
    )

    def relative(drawn: NDArray[np.float64]) -> float:
        index = np.asarray(drawn, np.int64)
        return float(errors[index].sum() / before[index].sum() - 1)

    everyone = np.arange(len(errors), dtype=np.float64)
    return ErrorChange(relative(everyone), *bootstrap_interval(everyone, relative))


def time_encoders(
    backends: Mapping[str, Backend], image: NDArray[np.uint8], rounds: int = 12
) -> tuple[EncoderTimes, ...]:
    """Time per image of encoders that take turns.

    Args:
        backends: by name, all for the same network size.
        image: network image uint8 [H, W].
        rounds: turns of each that are counted, after one that is not.
    """
    turns: dict[str, list[float]] = {name: [] for name in backends}
    for number in range(rounds + 1):
        for name, backend in backends.items():
            seconds = []
            for _ in range(_TURN):
                start = time.perf_counter()
                backend.encode(image)
                seconds.append(time.perf_counter() - start)
            if number > 0:
                turns[name].append(float(np.median(seconds[_UNCOUNTED:])) * 1e3)
    first = next(iter(turns.values()))
    return tuple(
        EncoderTimes(
            name, Spread.of(turn), Spread.of([a / b for a, b in zip(first, turn, strict=True)])
        )
        for name, turn in turns.items()
    )
