"""Times that are written as text: which unit they have, and which of them are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from statistics import median

from coarse_loftr_ros.recordings.errors import RecordingError

__all__ = ["parse_times", "times_of_names"]

_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_EPOCH_S = (1_000_000_000, 4_000_000_000)  # 2001 to 2096
_DAY_S = 86_400
# Steps between images that a unit other than seconds may have: 2 ms to 2 s.
_SHORTEST_STEP_S, _LONGEST_STEP_S = Decimal("0.002"), Decimal(2)
_LONGEST_STEP_OF_SECONDS = 10
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)[ T_](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?")
_NAME = re.compile(r"[A-Za-z_-]*(\d{10,19}(?:\.\d+)?|\d+\.\d{3,})")


def parse_times(words: Sequence[str], where: str) -> list[int | None]:
    """Times as text to integer nanoseconds, without the rounding of a float.

    Times since 1970 say by their size, each by its own, whether they are seconds, milliseconds,
    microseconds or nanoseconds. Others are seconds, unless they are then too far apart to be of
    images; their steps show which unit they have where only one fits. Dates
    (``2011-09-26 13:02:25.96``) are taken as UTC.

    Args:
        words: all times of one file.
        where: names the file in errors.

    Returns:
        As many as ``words``; ``None`` for what is no finite number, or none among times since 1970.

    Raises:
        RecordingError: when none is a time, or the unit is not known.
    """
    dates = [_date(word) for word in words]
    if any(date is not None for date in dates):
        return dates
    values = [_number(word) for word in words]
    known = [value for value in values if value is not None]
    if not known:
        given = (
            f"'{words[0]}' is none; a time is a number such as 0.1 or 1700000000.1, or a date"
            if words
            else "it is empty"
        )
        raise RecordingError(f"{where} has no times: {given}")
    since_1970 = [None if value is None else _since_1970(value) for value in values]
    if _are_close(since_1970):
        return since_1970
    unit = _unit(known, where)
    return [None if value is None else _nanoseconds(value, unit) for value in values]


def times_of_names(names: Sequence[str]) -> list[int | None] | None:
    """Times of files that are named by them, integer nanoseconds.

    Args:
        names: without their endings.

    Returns:
        ``None`` for a name that is no time; ``None`` alone when most are none, such as numbers.
    """
    found = [_NAME.fullmatch(name) for name in names]
    words = [match[1] if match else "" for match in found]
    whole = [Decimal(word) for word in words if word and "." not in word]
    if 2 * sum(map(bool, words)) <= len(names) or (whole and _since_1970(median(whole)) is None):
        return None
    return parse_times(words, "the names of the images")


def _unit(values: Sequence[Decimal], where: str) -> str:
    step = _step(values)
    if step is None or step <= _LONGEST_STEP_OF_SECONDS:
        return "s"
    for unit in ("us", "ns"):
        seconds = step * _NS[unit] / _NS["s"]
        if _SHORTEST_STEP_S < seconds <= _LONGEST_STEP_S:
            return unit
    raise RecordingError(
        f"the unit of the times in {where} cannot be told: they begin at {values[0]} and are "
        f"{step} apart; write seconds, or nanoseconds since 1970"
    )


def _are_close(stamps: Sequence[int | None]) -> bool:
    """Whether most times are known, ns, and no more than a day apart."""
    known = [stamp for stamp in stamps if stamp is not None]
    if 2 * len(known) <= len(stamps):
        return False
    step = _step(known)
    return step is None or step <= _DAY_S * _NS["s"]


def _step(values: Sequence[Decimal] | Sequence[int]) -> Decimal | int | None:
    """The median one between neighbours that differ; ``None`` where none do."""
    steps = [abs(b - a) for a, b in pairwise(values) if a != b]
    return median(steps) if steps else None


def _since_1970(value: Decimal) -> int | None:
    """A value as a time since 1970 in the unit in which it is one, ns."""
    first, end = _EPOCH_S
    for unit, scale in _NS.items():
        if first <= value * scale / _NS["s"] < end:
            return _nanoseconds(value, unit)
    return None


def _nanoseconds(value: Decimal, unit: str) -> int:
    return int((value * _NS[unit]).to_integral_value())


def _number(word: str) -> Decimal | None:
    try:
        value = Decimal(word)
    except InvalidOperation:
        return None
    # What is larger than nanoseconds since 1970 may be is no time.
    return value if value.is_finite() and abs(value) < 10**19 else None


def _date(word: str) -> int | None:
    match = _DATE.fullmatch(word.strip())
    if match is None:
        return None
    try:
        day = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return int(day.timestamp()) * _NS["s"] + int((match[3] or "0").ljust(9, "0"))
