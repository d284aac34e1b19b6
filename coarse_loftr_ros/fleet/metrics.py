"""The numbers by which recordings, settings and fleets are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True)
class Metric:
    """A number of a recording.

    Attributes:
        name: in data.
        title: for people, with its unit.
        sign: 1 where more is better, -1 where less is.
        least: smallest difference that is worth a word.
        digits: after the point.
        value: of a result; ``None`` where it has none.
    """

    name: str
    title: str
    sign: int
    least: float
    digits: int
    value: Callable[[Mapping[str, Any]], float | None]


def _part(name: str, key: str, factor: float = 1.0) -> Callable[[Mapping[str, Any]], float | None]:
    def value(result: Mapping[str, Any]) -> float | None:
        part = result.get(name) or {}
        found = part.get(key)
        return None if found is None else factor * found

    return value


METRICS = (
    Metric("lost", "LOST, %", -1, 0.1, 1, _part("matching", "lost_share", 100.0)),
    Metric("longest_loss", "longest loss, s", -1, 0.1, 1, _part("matching", "longest_loss_s")),
    Metric("coverage", "coverage, %", 1, 1.0, 0, _part("matching", "coverage", 100.0)),
    Metric("inliers", "inliers", 1, 5.0, 0, _part("matching", "inliers")),
    Metric("drift", "drift, %", -1, 0.05, 2, _part("odometry", "drift_percent")),
    Metric("odometry_lost", "odometry LOST, images", -1, 1.0, 0, _part("odometry", "lost")),
)
