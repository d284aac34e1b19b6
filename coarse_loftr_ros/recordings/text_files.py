"""The small text files of data sets: times, calibrations, lists of images."""

from __future__ import annotations

import re
from pathlib import Path

from coarse_loftr_ros.recordings.errors import RecordingError

__all__ = ["read_text", "rows_of", "words_of"]

_HEADER = re.compile(r"[a-z]*(time|stamp|sec)", re.IGNORECASE)  # of a column


def read_text(path: Path) -> str:
    """The text of a small file.

    Raises:
        RecordingError: when it cannot be read or is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path} is no text file") from error


def words_of(path: Path) -> list[str]:
    """The times of a file of one per line, or of one line."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) > 1 and _HEADER.match(lines[0]):
        return lines[1:]
    return lines[0].split() if len(lines) == 1 else lines


def rows_of(path: Path) -> list[list[str]]:
    """The words of each line that is neither empty nor a comment."""
    lines = (line.strip() for line in read_text(path).splitlines())
    return [re.split(r"[,\s]+", line) for line in lines if line and not line.startswith("#")]
