"""Which ids the points of a stream get."""

from __future__ import annotations

__all__ = ["TrackIds"]


class TrackIds:
    """Gives each reference of a stream, and each window of one, a range of ids of its own.

    The id of a point is its range's first one plus the number of the point in the reference; ids
    are 32 bits and begin again after the last.

    Attributes:
        reference: first id of the reference's points.
    """

    def __init__(self) -> None:
        self.reference = 0
        self._latest = 0  # first id of the range that was taken last

    def following(self, cells: int) -> int:
        """First id of the range that would be taken next.

        Args:
            cells: of the network's image; each has two points.
        """
        return (self._latest + 2 * cells) % 2**32

    def take_reference(self, cells: int) -> None:
        """Take a range for a new reference."""
        self.reference = self._latest = self.following(cells)

    def take_window(self, cells: int) -> None:
        """Take a range for a window; the reference keeps its own."""
        self._latest = self.following(cells)
