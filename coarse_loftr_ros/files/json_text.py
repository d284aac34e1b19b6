"""Reports as data for JSON."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from typing import Any

__all__ = ["json_text", "to_json"]


def to_json(value: Any) -> Any:
    """A report, or a part of one, as dictionaries, lists, numbers and strings.

    JSON knows neither infinity nor NaN: an infinite error (a failure) becomes ``None``.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_json(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(f"a report holds a {type(value).__name__}, which has no place in JSON")


def json_text(value: Any, indent: str = "") -> str:
    """JSON with one line per record: what holds no further record stays on its line.

    Numbers are rounded to seven digits, more than any of them is worth.
    """
    if not any(_holds_a_record(part) for part in _parts(value)):
        return json.dumps(_rounded(value))
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {json_text(part, deeper)}" for key, part in value.items()]
        opening, closing = "{}"
    else:
        parts = [json_text(part, deeper) for part in value]
        opening, closing = "[]"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{closing}"


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _holds_a_record(value: Any) -> bool:
    return isinstance(value, dict) or any(_holds_a_record(part) for part in _parts(value))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
