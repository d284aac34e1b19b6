"""What is wrong with a recording, in words for the user."""

from __future__ import annotations

__all__ = ["NoImageError", "RecordingError", "UnpairedError"]


class RecordingError(ValueError):
    """A recording, or what lies beside it, that cannot be used; names the file."""


class UnpairedError(RecordingError):
    """Images of left and right of which no two were taken at one time."""


class NoImageError(RecordingError):
    """Images of which not one can be read."""
