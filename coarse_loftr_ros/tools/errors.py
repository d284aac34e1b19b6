"""What the command line tells its users instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["UserError", "as_user_error"]


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
        raise UserError(str(error)) from error
