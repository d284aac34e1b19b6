"""Memory, threads and descriptors of a process over time, and whether they grow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Sample", "Trend", "VitalSigns", "theil_sen", "trend"]

LEAK_MIB_PER_10_MIN = 1.0
# What malloc keeps and gives back differs by this much from minute to minute where networks for
# several image sizes come and go: a leak is more.
NOISE_MIB = 2.0
# Over a shorter time the slope of a few pages, scaled to ten minutes, would be taken for a leak.
SHORTEST_S = 60.0
_MOST_POINTS = 500
LARGEST_PEAK_MIB = 1024.0


@dataclass(frozen=True)
class Sample:
    """A process at one time.

    Attributes:
        time: seconds of a steady clock.
        memory_mib: resident memory of its own (anonymous pages), without files and without the
            middleware's shared segments, which fill once and stay.
        threads: that it has.
        descriptors: files, sockets and other handles that it holds open.
        peak_mib: most memory of all kinds that it ever had resident.
        season: what it was taken after, where that decides how much memory is in use.
    """

    time: float
    memory_mib: float
    threads: int
    descriptors: int
    peak_mib: float
    season: str = ""

    @staticmethod
    def of(pid: int, season: str = "") -> Sample:
        """Taken now.

        Raises:
            OSError: when there is no such process.
        """
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        return Sample(
            time.monotonic(),
            int(status["RssAnon"].split()[0]) / 1024,
            int(status["Threads"]),
            len(list(Path(f"/proc/{pid}/fd").iterdir())),
            int(status["VmHWM"].split()[0]) / 1024,
            season,
        )


@dataclass(frozen=True)
class Trend:
    """What became of a process after its warm-up; each pair is of the first and the last fifth.

    Attributes:
        seconds: how long it was looked at.
        memory_mib: medians.
        slope_mib_per_10_min: of the memory.
        threads: most.
        descriptors: most.
        peak_mib: most memory of all kinds that it ever had resident.
    """

    seconds: float
    memory_mib: tuple[float, float]
    slope_mib_per_10_min: float
    threads: tuple[int, int]
    descriptors: tuple[int, int]
    peak_mib: float

    @property
    def long_enough(self) -> bool:
        """Whether the time was long enough to separate a leak from noise."""
        return self.seconds >= SHORTEST_S

    @property
    def faults(self) -> list[str]:
        """What grew that must not, in words."""
        found = []
        grown = self.memory_mib[1] - self.memory_mib[0] > NOISE_MIB
        if self.long_enough and grown and self.slope_mib_per_10_min > LEAK_MIB_PER_10_MIN:
            found.append(
                f"memory grows by {self.slope_mib_per_10_min:.1f} MiB in 10 minutes; "
                f"{LEAK_MIB_PER_10_MIN:g} are allowed"
            )
        if self.peak_mib > LARGEST_PEAK_MIB:
            found.append(f"{self.peak_mib:.0f} MiB at one time; {LARGEST_PEAK_MIB:.0f} are allowed")
        for name in ("threads", "descriptors"):
            first, last = getattr(self, name)
            if self.long_enough and last > first:
                found.append(f"{name} grew from {first} to {last}")
        return found


class VitalSigns:
    """Looks at a process from time to time.

    Args:
        pid: of the process.
        period_s: least time between two samples.
    """

    def __init__(self, pid: int, period_s: float = 0.5) -> None:
        self._pid = pid
        self._period_s = period_s
        self._samples: list[Sample] = []

    def look(self, season: str = "") -> None:
        """Take a sample when it is time; a process that is gone gives none."""
        if self._samples and time.monotonic() - self._samples[-1].time < self._period_s:
            return
        try:
            self._samples.append(Sample.of(self._pid, season))
        except (OSError, KeyError):  # gone, or about to: a zombie has no memory
            return

    def trend(self, since: float) -> Trend:
        """What became of it after a warm-up that ended at this time."""
        return trend([sample for sample in self._samples if sample.time >= since])


def trend(samples: Sequence[Sample]) -> Trend:
    """The trend of samples in the order of their time."""
    if len(samples) < 2:
        return Trend(0.0, (0.0, 0.0), 0.0, (0, 0), (0, 0), 0.0)
    share = max(1, len(samples) // 5)
    ends = samples[:share], samples[-share:]
    memory = [sample.memory_mib for sample in samples]
    seasons = [sample.season for sample in samples] if samples[0].season else None
    return Trend(
        samples[-1].time - samples[0].time,
        tuple(float(np.median([sample.memory_mib for sample in end])) for end in ends),
        600.0 * theil_sen([sample.time for sample in samples], memory, seasons),
        tuple(max(sample.threads for sample in end) for end in ends),
        tuple(max(sample.descriptors for sample in end) for end in ends),
        samples[-1].peak_mib,
    )


def theil_sen(
    times: Sequence[float], values: Sequence[float], seasons: Sequence[str] | None = None
) -> float:
    """Slope of values over time: the median of the slopes between any two of them.

    Single steps and outliers of up to 29 % of the values do not move it, as they would the line of
    least squares (P. K. Sen, Journal of the American Statistical Association 63, 1968). With
    ``seasons`` each return of a season counts as one value, the median, and only values of the same
    season are compared (R. M. Hirsch et al., Water Resources Research 18, 1982).
    """
    x, y = np.asarray(times, float), np.asarray(values, float)
    season = np.zeros(len(x), int)
    if seasons is not None and len(x):
        _, season = np.unique(np.asarray(seasons), return_inverse=True)
        returns = np.flatnonzero(np.diff(season, prepend=season[0])).tolist()
        parts = [slice(*ends) for ends in zip([0, *returns], [*returns, len(x)], strict=True)]
        x, y = (np.array([np.median(all_[part]) for part in parts]) for all_ in (x, y))
        season = season[[part.start for part in parts]]
    elif len(x) > _MOST_POINTS:
        chosen = np.linspace(0, len(x) - 1, _MOST_POINTS).round().astype(int)
        x, y, season = x[chosen], y[chosen], season[chosen]
    first, second = np.triu_indices(len(x), 1)
    same = season[first] == season[second]
    first, second = first[same], second[same]
    if not len(first):
        return 0.0
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))
