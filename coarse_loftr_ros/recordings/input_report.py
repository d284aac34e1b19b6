"""What became of the images of a recording: which took no part and why, and what was assumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from coarse_loftr_ros.recordings.errors import RecordingError

__all__ = ["InputReport", "Rejected"]

_NAMES = 20  # of one cause that are kept: a recording may lose thousands


@dataclass
class Rejected:
    """Images, or messages about them, that were left out for one cause.

    Attributes:
        count: how many.
        example: the first of them, as a sentence.
        names: of the first ones.
    """

    count: int
    example: str
    names: list[str] = field(default_factory=list)


class InputReport:
    """Filled while a recording is read.

    Args:
        strict: whether the first image that cannot be used ends the reading.
        on_notice: called with each notice when it arises.

    Attributes:
        rejected: by a short name of the cause.
        notices: what was assumed or not heeded, each once.
    """

    def __init__(
        self, *, strict: bool = False, on_notice: Callable[[str], None] | None = None
    ) -> None:
        self.strict = strict
        self.rejected: dict[str, Rejected] = {}
        self.notices: list[str] = []
        self._on_notice = on_notice

    def reject(self, cause: str, name: str, reason: str, count: int = 1) -> None:
        """Count images that take no part.

        Args:
            cause: a short name for counting.
            name: of the image.
            reason: in words.
            count: how many they are, where only the first has a name.

        Raises:
            RecordingError: when strict.
        """
        sentence = reason if name in reason else f"{name}: {reason}"
        if self.strict:
            raise RecordingError(sentence)
        entry = self.rejected.setdefault(cause, Rejected(0, sentence))
        entry.count += count
        if len(entry.names) < _NAMES:
            entry.names.append(name)

    def notice(self, sentence: str) -> None:
        """Say something once."""
        if sentence not in self.notices:
            self.notices.append(sentence)
            if self._on_notice is not None:
                self._on_notice(sentence)
