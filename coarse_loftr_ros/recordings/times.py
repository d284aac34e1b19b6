"""Times that are written as text."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

__all__ = ["parse_seconds"]


def parse_seconds(word: str) -> int:
    """Seconds as text to integer nanoseconds, without the rounding of a float.

    Raises:
        ValueError: when it is no number.
    """
    try:
        return int((Decimal(word) * 1_000_000_000).to_integral_value())
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(f"'{word}' is no time in seconds") from error
