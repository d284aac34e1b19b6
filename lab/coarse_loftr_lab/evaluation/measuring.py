"""What all measurements of methods side by side share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coarse_loftr_ros.features.pair_matcher import PairMatcher

__all__ = ["Progress", "refuse_equal_names"]

Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and what was just done."""


def refuse_equal_names(matchers: Sequence[PairMatcher]) -> None:
    """Refuse methods of one name: a report names each by its name alone.

    Raises:
        ValueError: when two are equal.
    """
    names = [matcher.name for matcher in matchers]
    if len(set(names)) != len(names):
        raise ValueError(f"methods are named {names}; every name must be different")
