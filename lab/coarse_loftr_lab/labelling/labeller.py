"""Labels of pairs: matched in several views, what agrees kept, and aligned on the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.labelling.agreement import AgreedPoints, AgreementSettings, agreed_points
from coarse_loftr_lab.labelling.nearest_points import common_motion
from coarse_loftr_lab.labelling.transforms import ViewTransform
from coarse_loftr_ros.features.pair_matcher import PairMatcher, PointMatches
from coarse_loftr_ros.matching.matcher import NetworkMatches
from coarse_loftr_ros.matching.refinement import RefinementSettings, refine

__all__ = ["PairLabeller", "PairOutcome"]

# What a label may move by when it is aligned a last time, px.
_MOST_SHIFT_PX = 2.0


@dataclass(frozen=True, eq=False)
class PairOutcome:
    """What became of one pair.

    Attributes:
        proposed: different points that any view has matched.
        agreed: those that enough views agree with.
        reference: float32 [N, 2], labels in px of the reference image.
        current: float32 [N, 2], px of the current image.
        agreement: float32 [N], share of the views that agree.
        spread_px: float32 [N], median distance of what they say, px.
        shown: int [V], points that each view shows.
        found: int [V], those of them that it agrees with.
    """

    proposed: int
    agreed: int
    reference: NDArray[np.float32]
    current: NDArray[np.float32]
    agreement: NDArray[np.float32]
    spread_px: NDArray[np.float32]
    shown: NDArray[np.int64]
    found: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.agreement)


@dataclass(frozen=True)
class PairLabeller:
    """A teacher that is asked several times.

    Attributes:
        teacher: any matcher of pairs.
        transforms: views that it is asked about, the image as it is among them.
        settings: what counts as agreement.
        refinement: of the labels; what cannot be aligned is no label.
    """

    teacher: PairMatcher
    transforms: Sequence[ViewTransform]
    settings: AgreementSettings = field(default_factory=AgreementSettings)
    refinement: RefinementSettings = field(
        default_factory=lambda: RefinementSettings(max_shift=_MOST_SHIFT_PX, enough=0, few=0)
    )

    def __call__(self, reference: NDArray[np.uint8], current: NDArray[np.uint8]) -> PairOutcome:
        """Label two grey images of one size, uint8 [H, W]."""
        size = reference.shape[::-1]
        matches = [self._matches(each, reference, current) for each in self.transforms]
        agreed = agreed_points(matches, self.transforms, size, self.settings)
        return self._refined(agreed, reference, current)

    def _matches(
        self,
        transform: ViewTransform,
        reference: NDArray[np.uint8],
        current: NDArray[np.uint8],
    ) -> PointMatches:
        """What the teacher says of one view, in px of the images."""
        size = reference.shape[::-1]
        described = [self.teacher.describe(transform.view(image)) for image in (reference, current)]
        found = self.teacher.match(*described)
        return PointMatches(
            transform.to_image(found.reference_points, size).astype(np.float32),
            transform.to_image(found.current_points, size).astype(np.float32),
            found.confidence,
        )

    def _refined(
        self, agreed: AgreedPoints, reference: NDArray[np.uint8], current: NDArray[np.uint8]
    ) -> PairOutcome:
        chosen = np.flatnonzero(agreed.agreed)
        points = NetworkMatches(
            agreed.reference[chosen], agreed.current[chosen], agreed.share[chosen], chosen
        )
        warp = common_motion(points.reference, points.current) if len(chosen) else None
        kept = refine(points, reference, current, self.refinement, warp)
        limit = np.array(reference.shape[::-1]) - 1
        kept = kept.select(((kept.current >= 0) & (kept.current <= limit)).all(axis=1))
        return PairOutcome(
            len(agreed.agreed),
            len(chosen),
            kept.reference,
            kept.current,
            kept.confidence,
            agreed.spread_px[kept.point],
            agreed.shown,
            agreed.found,
        )
