"""Which earlier frame the current one is matched with: the previous one, or a keyframe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from coarse_loftr_ros.matching.result import Homography, Status

__all__ = ["Consecutive", "Keyframe", "KeyframeRule", "ReferencePolicy"]


class ReferencePolicy(Protocol):
    """Decides after each match whether the current frame becomes the reference.

    Attributes:
        every_frame: whether each one will.
    """

    every_frame: bool

    def replace(self, homography: Homography, age: int) -> str:
        """Why the current frame becomes the reference; empty when the reference stays.

        Args:
            homography: of the reference and the current frame.
            age: frames since the reference was taken, the current one included.
        """
        ...


class Consecutive:
    """Each frame is matched with the one before it."""

    every_frame = True

    def replace(self, homography: Homography, age: int) -> str:
        """See ``ReferencePolicy.replace``."""
        return "consecutive"


@dataclass(frozen=True)
class KeyframeRule:
    """When a keyframe has served its time.

    Attributes:
        min_inliers: inliers in fewer cells replace the keyframe.
        min_coverage: inliers on a smaller share of the keyframe replace it.
        max_age: frames after which it is replaced in any case; 0 means never.
        lost_patience: LOST frames in a row before the keyframe is given up; until then a passing
            disturbance (a hand before the lens) does not cost the tracks.
    """

    min_inliers: int = 80
    min_coverage: float = 0.35
    max_age: int = 60
    lost_patience: int = 3

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_coverage <= 1.0:
            raise ValueError(f"min_coverage is {self.min_coverage}; it must be in [0, 1]")
        for name in ("min_inliers", "max_age"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        if self.lost_patience < 1:
            raise ValueError(f"lost_patience is {self.lost_patience}; it must be at least 1")


class Keyframe:
    """The reference stays until the rule says that it has served its time.

    Args:
        rule: when.
    """

    every_frame = False

    def __init__(self, rule: KeyframeRule | None = None) -> None:
        self.rule = rule or KeyframeRule()
        self._lost_in_a_row = 0

    def replace(self, homography: Homography, age: int) -> str:
        """See ``ReferencePolicy.replace``."""
        rule = self.rule
        if homography.status == Status.LOST:
            self._lost_in_a_row += 1
            if self._lost_in_a_row < rule.lost_patience:
                return ""
            self._lost_in_a_row = 0
            return f"lost for {rule.lost_patience} frames"
        self._lost_in_a_row = 0
        if homography.support < rule.min_inliers:
            return f"inliers in {homography.support} cells, fewer than {rule.min_inliers}"
        if homography.coverage < rule.min_coverage:
            return f"coverage {homography.coverage:.2f} below {rule.min_coverage:.2f}"
        if rule.max_age and age >= rule.max_age:
            return f"age {age} frames"
        return ""
