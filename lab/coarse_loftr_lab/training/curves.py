"""Curves as inline SVG: no library, no script, any browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

__all__ = ["Curve", "plot"]

Curve = tuple[str, Sequence[float], Sequence[float]]
"""Name, x and y."""

_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 48, 30
_MOST_POINTS = 300


def plot(title: str, curves: Sequence[Curve], unit: str = "") -> str:
    """One diagram of curves over the steps.

    Args:
        title: above it.
        curves: at least one, each with at least one point; they get the classes c0, c1, ...
        unit: of y.
    """
    curves = [(name, *_thinned(x, y)) for name, x, y in curves]
    every_x = [value for _, x, _ in curves for value in x]
    every_y = [value for _, _, y in curves for value in y]
    x_ticks = _ticks(0.0, max(every_x), 5)
    y_ticks = _ticks(min(0.0, *every_y), max(every_y), 5)

    def at_x(value: float) -> float:
        return _LEFT + (value - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * _inner_width()

    def at_y(value: float) -> float:
        share = (value - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    heading = escape(f"{title} ({unit})" if unit else title)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{heading}">',
        f'<text class="title" x="{_LEFT}" y="17">{heading}</text>',
    ]
    bottom = _HEIGHT - _BOTTOM
    for value in y_ticks:
        y = at_y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" '
                     f'y2="{y:.1f}"/>')  # fmt: skip
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
                     f"{_number(value)}</text>")  # fmt: skip
    for value in x_ticks:
        parts.append(f'<text class="tick" x="{at_x(value):.1f}" y="{bottom + 16}" '
                     f'text-anchor="middle">{_number(value)}</text>')  # fmt: skip
    for number, (name, x, y) in enumerate(curves):
        points = [f"{at_x(a):.1f},{at_y(b):.1f}" for a, b in zip(x, y, strict=True)]
        label = escape(f"{name}: last {_number(y[-1])} {unit}".strip())
        parts.append(f'<g class="c{number}"><title>{label}</title>')
        if len(points) > 1:
            parts.append(f'<polyline points="{" ".join(points)}"/>')
        if len(points) < 40:
            dots = (point.split(",") for point in points)
            parts += [f'<circle cx="{cx}" cy="{cy}" r="2.4"/>' for cx, cy in dots]
        parts.append("</g>")
    place = _LEFT
    for number, (name, *_) in enumerate(curves):
        parts.append(f'<text class="legend c{number}" x="{place}" y="34">{escape(name)}</text>')
        place += 7 * len(name) + 14
    parts.append("</svg>")
    return "".join(parts)


def _inner_width() -> int:
    return _WIDTH - _LEFT - _RIGHT


def _thinned(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """Means of neighbours where there are more points than can be distinguished."""
    step = math.ceil(len(x) / _MOST_POINTS)
    groups = [slice(start, start + step) for start in range(0, len(x), step)]
    return (
        [sum(x[g]) / len(x[g]) for g in groups],
        [sum(y[g]) / len(y[g]) for g in groups],
    )


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, last + 1)]


def _number(value: float) -> str:
    if value and (abs(value) >= 1e5 or abs(value) < 1e-3):
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.0f}" if value % 1 == 0 else f"{value:.3g}"
