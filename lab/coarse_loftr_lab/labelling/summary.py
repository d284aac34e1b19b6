"""What labelling came to, per distance of the images and per view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coarse_loftr_lab.labelling.labeller import PairOutcome
from coarse_loftr_lab.labelling.transforms import ViewTransform

__all__ = ["GapSummary", "LabelSummary", "ViewSummary", "summarise"]


@dataclass(frozen=True)
class GapSummary:
    """Pairs of one distance, or all of them.

    Attributes:
        gap: distance in images; 0 for all pairs.
        pairs: that were matched.
        labelled: pairs that have enough labels.
        labels: of these pairs.
        labels_per_pair: their median.
        consistency: share of the proposed points that enough views agree with.
        yield_share: share of the proposed points that became labels.
        spread_px: median distance of what agreeing views say; ``None`` without labels.
    """

    gap: int
    pairs: int
    labelled: int
    labels: int
    labels_per_pair: float
    consistency: float
    yield_share: float
    spread_px: float | None


@dataclass(frozen=True)
class ViewSummary:
    """One view of all pairs.

    Attributes:
        transform: its name.
        shown: points that it shows.
        agrees: share of them that it agrees with.
    """

    transform: str
    shown: int
    agrees: float


@dataclass(frozen=True)
class LabelSummary:
    """All of a run.

    Attributes:
        gaps: one for each, then one for all.
        views: one per transform.
    """

    gaps: tuple[GapSummary, ...]
    views: tuple[ViewSummary, ...]

    @property
    def all(self) -> GapSummary:
        """All pairs."""
        return self.gaps[-1]


def summarise(
    outcomes: Sequence[tuple[int, PairOutcome]],
    transforms: Sequence[ViewTransform],
    least_labels: int,
) -> LabelSummary:
    """The figures of pairs.

    Args:
        outcomes: gap and outcome of each pair, at least one.
        transforms: of the views.
        least_labels: fewer are too few for a pair.
    """
    gaps = sorted({gap for gap, _ in outcomes})
    rows = [
        _of_gap(gap, [one for own, one in outcomes if own == gap], least_labels) for gap in gaps
    ]
    rows.append(_of_gap(0, [one for _, one in outcomes], least_labels))
    shown, found = (
        np.sum([getattr(one, name) for _, one in outcomes], axis=0) for name in ("shown", "found")
    )
    views = [
        ViewSummary(transform.name, int(all_), float(own / max(all_, 1)))
        for transform, all_, own in zip(transforms, shown, found, strict=True)
    ]
    return LabelSummary(tuple(rows), tuple(views))


def _of_gap(gap: int, outcomes: Sequence[PairOutcome], least_labels: int) -> GapSummary:
    labelled = [one for one in outcomes if len(one) >= least_labels]
    proposed = max(1, sum(one.proposed for one in outcomes))
    return GapSummary(
        gap,
        len(outcomes),
        len(labelled),
        sum(len(one) for one in labelled),
        float(np.median([len(one) for one in labelled])) if labelled else 0.0,
        sum(one.agreed for one in outcomes) / proposed,
        sum(len(one) for one in labelled) / proposed,
        float(np.median(np.concatenate([one.spread_px for one in labelled]))) if labelled else None,
    )
