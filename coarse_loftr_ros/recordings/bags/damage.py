"""What of a recording cannot be read: counted and named, while the rest is used."""

from __future__ import annotations

from typing import NamedTuple

from coarse_loftr_ros.recordings.bags.types import BagError

__all__ = ["Damage", "DamageCount", "UnreadableError"]


class UnreadableError(BagError):
    """A part of a recording that cannot be read; others may be."""


class DamageCount(NamedTuple):
    """How often one kind of damage was met, and the first of it in words."""

    count: int
    example: str


class Damage:
    """Counts of damage.

    Attributes:
        found: by kind: ``message``, ``chunk``, ``record``, ``gap``, ``end``, ``file``.
    """

    def __init__(self) -> None:
        self.found: dict[str, DamageCount] = {}
        self._places: set[tuple[str, object]] = set()

    def add(self, kind: str, place: object, sentence: str, count: int = 1) -> None:
        """Count damage at a place, once however often the place is read.

        Args:
            kind: of damage.
            place: anything that distinguishes this place from others.
            sentence: what cannot be read, and why.
            count: how many messages that are asked for are lost.
        """
        if (kind, place) in self._places:
            return
        self._places.add((kind, place))
        before = self.found.get(kind, DamageCount(0, sentence))
        self.found[kind] = DamageCount(before.count + count, before.example)

    def __str__(self) -> str:
        return "; ".join(f"{each.count} x {each.example}" for each in self.found.values())
