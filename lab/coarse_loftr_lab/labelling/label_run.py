"""A whole run: sequences in, labels with their figures and a picture out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2

from coarse_loftr_lab.evaluation.measuring import Progress
from coarse_loftr_lab.labelling.agreement import AgreementSettings
from coarse_loftr_lab.labelling.label_files import LabelledImage, Labels, PairLabels
from coarse_loftr_lab.labelling.labeller import PairLabeller, PairOutcome
from coarse_loftr_lab.labelling.picture import PicturePair, draw_labels
from coarse_loftr_lab.labelling.sequences import ImageSequence, SequencePair
from coarse_loftr_lab.labelling.summary import LabelSummary, summarise
from coarse_loftr_lab.labelling.transforms import (
    DEFAULT_TRANSFORMS,
    ViewTransform,
    parse_transforms,
)
from coarse_loftr_ros.features.pair_matcher import PairMatcher
from coarse_loftr_ros.files.whole_files import whole_files
from coarse_loftr_ros.recordings.image_files import read_grey

__all__ = ["LabelRun", "LabelSettings", "LabelledSequences"]

PICTURE = "picture.png"
_DRAWN = 4  # pairs


@dataclass(frozen=True)
class LabelSettings:
    """What is labelled and what becomes a label.

    Attributes:
        gaps: distances of the images of a pair.
        step: every so many images one is a reference.
        transforms: views, the image as it is first.
        agreement: of the views.
        least_labels: pairs with fewer are left out.
    """

    gaps: tuple[int, ...] = (1, 2, 4, 8)
    step: int = 1
    transforms: tuple[ViewTransform, ...] = field(
        default_factory=lambda: parse_transforms(DEFAULT_TRANSFORMS)
    )
    agreement: AgreementSettings = field(default_factory=AgreementSettings)
    least_labels: int = 30

    def __post_init__(self) -> None:
        if not self.gaps or min(self.gaps) < 1 or len(set(self.gaps)) != len(self.gaps):
            raise ValueError(
                f"gaps are {', '.join(map(str, self.gaps))}; they must differ and be at least 1"
            )
        for name in ("step", "least_labels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        return {
            "gaps": list(self.gaps),
            "step": self.step,
            "transforms": [transform.name for transform in self.transforms],
            "agreement": asdict(self.agreement),
            "least_labels": self.least_labels,
        }


@dataclass(frozen=True, eq=False)
class LabelledSequences:
    """What came of it.

    Attributes:
        labels: of all pairs that have enough.
        summary: figures of all pairs.
        drawn: labelled pairs for the picture, of different gaps.
    """

    labels: Labels
    summary: LabelSummary
    drawn: tuple[tuple[SequencePair, PairOutcome], ...]

    def write(self, folder: Path) -> None:
        """Write labels, manifest and picture, all of them or none.

        Raises:
            OSError: when they cannot be written.
        """
        picture = draw_labels([_picture_pair(*one) for one in self.drawn])
        with whole_files(folder) as new:
            self.labels.write(new, folder)
            (new / PICTURE).write_bytes(cv2.imencode(".png", picture)[1].tobytes())


class LabelRun:
    """Labels sequences; what can be refused is refused here, before the first pair.

    Args:
        sequences: images on disk.
        settings: what is labelled.

    Raises:
        ImageError: when an image cannot be read.
        ValueError: when the images of a sequence differ in size, or all are too short.

    Attributes:
        pairs: that will be matched.
    """

    def __init__(self, sequences: Sequence[ImageSequence], settings: LabelSettings) -> None:
        self.settings = settings
        self.pairs = [
            pair for sequence in sequences for pair in sequence.pairs(settings.gaps, settings.step)
        ]
        if not self.pairs:
            longest = max(len(sequence.images) for sequence in sequences)
            raise ValueError(
                f"the longest sequence has {longest} images; a gap of {min(settings.gaps)} needs "
                "more"
            )
        self._sizes = {
            path: size
            for sequence in sequences
            for size in (sequence.check_sizes(),)
            for path in sequence.images
        }

    def run(self, teacher: PairMatcher, progress: Progress | None = None) -> LabelledSequences:
        """Ask a teacher.

        Args:
            teacher: any matcher of pairs.
            progress: called after each pair.

        Raises:
            ImageError: when an image can no longer be read.
        """
        labeller = PairLabeller(teacher, self.settings.transforms, self.settings.agreement)
        outcomes = []
        for number, pair in enumerate(self.pairs, start=1):
            outcomes.append(labeller(read_grey(pair.reference), read_grey(pair.current)))
            if progress is not None:
                progress(number, len(self.pairs), f"{pair.reference.name} to {pair.current.name}")
        enough = [
            (pair, outcome)
            for pair, outcome in zip(self.pairs, outcomes, strict=True)
            if len(outcome) >= self.settings.least_labels
        ]
        summary = summarise(
            [(pair.gap, one) for pair, one in zip(self.pairs, outcomes, strict=True)],
            self.settings.transforms,
            self.settings.least_labels,
        )
        return LabelledSequences(self._labels(enough, teacher), summary, _to_draw(enough))

    def _labels(
        self, labelled: Sequence[tuple[SequencePair, PairOutcome]], teacher: PairMatcher
    ) -> Labels:
        used = sorted({path for pair, _ in labelled for path in (pair.reference, pair.current)})
        number = {path: place for place, path in enumerate(used)}
        made_by = {
            "teacher": {"name": teacher.name, **teacher.settings},
            "settings": self.settings.facts(),
        }
        return Labels(
            tuple(LabelledImage.of(path, self._sizes[path]) for path in used),
            tuple(
                PairLabels(
                    (number[pair.reference], number[pair.current]),
                    outcome.reference,
                    outcome.current,
                    outcome.agreement,
                )
                for pair, outcome in labelled
            ),
            made_by,
        )


def _to_draw(
    labelled: Sequence[tuple[SequencePair, PairOutcome]],
) -> tuple[tuple[SequencePair, PairOutcome], ...]:
    """The pair in the middle of each of the first gaps."""
    chosen = []
    for gap in sorted({pair.gap for pair, _ in labelled})[:_DRAWN]:
        own = [one for one in labelled if one[0].gap == gap]
        chosen.append(own[len(own) // 2])
    return tuple(chosen)


def _picture_pair(pair: SequencePair, outcome: PairOutcome) -> PicturePair:
    title = (
        f"{pair.reference.name} to {pair.current.name}: {len(outcome)} labels of "
        f"{outcome.proposed} points"
    )
    return PicturePair(title, read_grey(pair.reference), read_grey(pair.current), outcome)
