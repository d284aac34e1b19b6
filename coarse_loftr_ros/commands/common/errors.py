"""Errors of the command line: one sentence for the user instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coarse_loftr_ros.files.whole_files import whole_file

__all__ = ["UserError", "as_user_error", "writing"]


class UserError(Exception):
    """Something that the user can put right, as one sentence on one line."""

    def __init__(self, sentence: str) -> None:
        super().__init__(" ".join(sentence.split()))


@contextmanager
def as_user_error(*kinds: type[Exception]) -> Iterator[None]:
    """Turn exceptions of these kinds into a ``UserError`` with the same words.

    Wrapped around the few lines that check what a user gave, so that a ``ValueError`` from
    anywhere else stays the defect that it is.
    """
    try:
        yield
    except kinds as error:
        said = str(error)
        if isinstance(error, OSError) and error.filename is not None:
            said = f"{error.filename}: {error.strerror}"
        raise UserError(said) from error


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Make the folder that a file goes to, and say which file cannot be written.

    Args:
        path: of the file.

    Yields:
        What to write inside the block instead, with the same ending: it takes the file's name
        when the block ends without an error.

    Raises:
        UserError: when the folder or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UserError(f"{path} cannot be written: {path.parent} is not a folder") from error
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with whole_file(path) as new:
            yield new
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
