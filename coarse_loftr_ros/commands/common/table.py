"""Results as aligned text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["two_columns"]


def two_columns(rows: Sequence[tuple[str, str]], title: str = "") -> str:
    """Names on the left, values on the right, each column aligned."""
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}   {value}" for name, value in rows]
    if title:
        rule = "-" * max(len(title), *(len(line) for line in lines))
        lines = [title, rule, *lines]
    return "\n".join(lines)
