"""The methods that are measured beside the package's own, by what is at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from coarse_loftr_lab.evaluation.baselines.akaze import Akaze, akaze_is_available
from coarse_loftr_lab.evaluation.baselines.student_matcher import StudentMatcher
from coarse_loftr_lab.evaluation.baselines.xfeat import XFeat
from coarse_loftr_ros.features.orb import Orb
from coarse_loftr_ros.features.pair_matcher import PairMatcher
from coarse_loftr_ros.features.sift import Sift

__all__ = ["BaselineWeights", "baselines", "loosest_baselines"]


@dataclass(frozen=True)
class BaselineWeights:
    """Files of the baselines that are networks; ``None`` where they are not at hand.

    Attributes:
        student: ``LoFTR_teacher.onnx`` of the published Coarse LoFTR project.
        xfeat: XFeat's backbone as ONNX.
    """

    student: Path | None = None
    xfeat: Path | None = None

    @classmethod
    def below(cls, folder: Path) -> BaselineWeights:
        """Whatever of ``coarse_loftr_trt/LoFTR_teacher.onnx`` and ``xfeat/xfeat.onnx`` exists."""
        student = folder / "coarse_loftr_trt" / "LoFTR_teacher.onnx"
        xfeat = folder / "xfeat" / "xfeat.onnx"
        return cls(
            student if student.is_file() else None,
            xfeat if xfeat.is_file() else None,
        )


def baselines(weights: BaselineWeights, threads: int = 0) -> list[PairMatcher]:
    """ORB, SIFT and (where OpenCV has it) AKAZE, and the networks whose weights are at hand.

    Args:
        weights: files of the networks.
        threads: CPU threads of the networks' runtime; 0 lets it choose.
    """
    makers: list[Callable[[], PairMatcher]] = [Orb, Sift]
    if akaze_is_available():
        makers.append(Akaze)
    if weights.student is not None:
        student = partial(StudentMatcher, weights.student, threads=threads)
        makers += [student, partial(student, refine=True)]
    if weights.xfeat is not None:
        makers.append(partial(XFeat, weights.xfeat, threads=threads))
    return [make() for make in makers]


def loosest_baselines(weights: BaselineWeights, threads: int = 0) -> list[PairMatcher]:
    """The same methods with thresholds that leave nearly everything in, to tune them."""
    methods: list[PairMatcher] = [Orb(ratio=1.0), Sift(ratio=1.0)]
    if akaze_is_available():
        methods.append(Akaze(ratio=1.0))
    if weights.student is not None:
        methods += [
            StudentMatcher(weights.student, refine, threads=threads, minimum_confidence=0.0)
            for refine in (False, True)
        ]
    if weights.xfeat is not None:
        methods.append(XFeat(weights.xfeat, minimum_cosine=0.5, threads=threads))
    return methods
