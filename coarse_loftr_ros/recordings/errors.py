"""What is wrong with a recording, in words for the user."""

from __future__ import annotations

__all__ = ["RecordingError"]


class RecordingError(ValueError):
    """A recording, or what lies beside it, that cannot be used; names the file."""
