"""A drawn landscape seen from the air, for demonstrations with a known truth.

Everything comes from a seed: fields with their furrows, hedges, a river, roads, villages, trees.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_landscape"]

_SHADOW = np.array([5.0, 7.0])  # px, from the light to the north-west
_SHIFT = 4  # cv2 draws on 1/16 px


def draw_landscape(width: int = 2800, height: int = 2200, seed: int = 7) -> NDArray[np.uint8]:
    """A landscape as grey levels uint8 [height, width], about 0.15 m per px."""
    rng = np.random.default_rng(seed)
    canvas = _fields(width, height, rng)
    forest = _noise(width, height, 420, 2, rng) > 0.30
    canvas[forest] = canvas[forest] * 0.35 + 38
    canvas = np.clip(canvas, 0, 255).astype(np.uint8)
    water = _river(canvas, rng)
    roads = [_curve(width, height, rng, horizontal) for horizontal in (True, False, True, False)]
    occupied = water | _roads(canvas, roads)
    _villages(canvas, roads, occupied, rng)
    _trees(canvas, forest & ~occupied, 5200, rng)
    _trees(canvas, ~occupied, 420, rng)
    grain = _noise(width, height, 9, 3, rng) * 9
    return np.clip(canvas + grain, 0, 255).astype(np.uint8)


def _noise(
    width: int, height: int, period: int, octaves: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Smooth noise about 0 with a deviation of about a half, of this largest period in px."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        step = max(2, period >> octave)
        grid = rng.standard_normal((height // step + 3, width // step + 3)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return total * 0.5


def _fields(width: int, height: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Polygons of different crops, with furrows along each field's own direction."""
    pitch = min(260, width // 2, height // 2)
    sites = np.full((height, width), 255, np.uint8)
    for top in range(0, height, pitch):
        for left in range(0, width, pitch):
            y, x = rng.integers(0, pitch, 2) + np.array([top, left])
            if y < height and x < width:
                sites[y, x] = 0
    _, label = cv2.distanceTransformWithLabels(
        sites, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    count = int(label.max()) + 1
    tone = rng.uniform(78, 190, count).astype(np.float32)
    angle = rng.uniform(0, np.pi, count)
    period = rng.uniform(7, 22, count)
    depth = rng.uniform(2, 16, count).astype(np.float32)
    wave_x = (np.cos(angle) * 2 * np.pi / period).astype(np.float32)
    wave_y = (np.sin(angle) * 2 * np.pi / period).astype(np.float32)
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    drift = _noise(width, height, 200, 2, rng)
    furrows = np.sin(wave_x[label] * x + wave_y[label] * y + drift)
    canvas = tone[label] + depth[label] * furrows + 14 * drift
    canvas += 22 * _noise(width, height, 60, 4, rng)
    edge = cv2.morphologyEx(label.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    hedge = cv2.dilate(edge.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    hedge &= _noise(width, height, 90, 3, rng) > -0.25
    canvas[hedge] = 52 + 26 * _noise(width, height, 8, 2, rng)[hedge]
    return canvas


def _curve(
    width: int, height: int, rng: np.random.Generator, horizontal: bool
) -> NDArray[np.float64]:
    """A winding line [N, 2] from one border to the opposite one."""
    along = np.linspace(-0.1, 1.1, 240)
    sideways = (
        rng.uniform(0.2, 0.8)
        + 0.13 * np.sin(along * rng.uniform(3, 7) + rng.uniform(0, 6))
        + 0.05 * np.sin(along * rng.uniform(9, 16) + rng.uniform(0, 6))
    )
    points = np.stack([along, sideways] if horizontal else [sideways, along], axis=1)
    return points * (width, height)


def _line(
    canvas: NDArray[np.uint8], points: NDArray[np.float64], grey: float, thickness: int
) -> None:
    fixed = np.rint(points * 2**_SHIFT).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, float(grey), thickness, cv2.LINE_AA, _SHIFT)


def _river(canvas: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.bool_]:
    height, width = canvas.shape
    course = _curve(width, height, rng, horizontal=True)
    mask = np.zeros_like(canvas)
    for start in range(0, len(course) - 1, 4):
        _line(mask, course[start : start + 6], 255, int(rng.integers(70, 100)))
    mask = cv2.GaussianBlur(mask, (0, 0), 9)
    bank = (mask > 50) & (mask < 128)
    water = mask >= 128
    canvas[bank] = np.clip(150 + 30 * _noise(width, height, 16, 3, rng)[bank], 0, 255)
    ripples = 48 + 7 * _noise(width, height, 30, 4, rng)
    canvas[water] = np.clip(ripples[water], 0, 255)
    return mask > 50


def _roads(canvas: NDArray[np.uint8], roads: list[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Draw asphalt, verges and markings; what they cover, bool [H, W]."""
    covered = np.zeros_like(canvas)
    widths = (30, 24, 20, 18)
    for shade, extra in ((205, 10), (112, 0)):
        for points, wide in zip(roads, widths, strict=True):
            _line(canvas, points, shade, wide + extra)
            _line(covered, points, 255, wide + 16)
    for points, wide in zip(roads, widths, strict=True):
        dense = np.stack(
            [np.interp(np.linspace(0, 239, 2400), np.arange(240), axis) for axis in points.T], 1
        )
        for start in range(0, 2390, 16):
            _line(canvas, dense[start : start + 8], 232, 3 if wide > 22 else 2)
    return covered > 0


def _villages(
    canvas: NDArray[np.uint8],
    roads: list[NDArray[np.float64]],
    occupied: NDArray[np.bool_],
    rng: np.random.Generator,
) -> None:
    """Houses with ridged roofs along the roads, dense in villages; marks them as occupied."""
    height, width = canvas.shape
    taken = occupied.astype(np.uint8)
    for points in roads:
        density = np.clip(np.sin(np.arange(len(points)) * 0.13 + rng.uniform(0, 6)), 0.1, 1)
        for index in range(2, len(points) - 2):
            heading = points[index + 1] - points[index - 1]
            heading = heading / np.hypot(*heading)
            normal = np.array([-heading[1], heading[0]])
            for row in (-3, -2, -1, 1, 2, 3):
                if rng.random() > density[index] * (1.15 - 0.25 * abs(row)):
                    continue
                centre = points[index] + normal * (row * 58 + rng.normal(0, 7))
                x, y = centre.astype(int)
                half = np.array([rng.uniform(13, 26), rng.uniform(10, 16)])
                reach = int(half.max() * 1.3)
                if not (reach < x < width - reach and reach < y < height - reach):
                    continue
                if taken[y - reach : y + reach, x - reach : x + reach].any():
                    continue
                turn = rng.normal(0, 0.12)
                _house(canvas, centre, half, np.arctan2(heading[1], heading[0]) + turn, rng)
                taken[y - reach : y + reach, x - reach : x + reach] = 1
    occupied |= taken > 0


def _house(
    canvas: NDArray[np.uint8],
    centre: NDArray[np.float64],
    half: NDArray[np.float64],
    angle: float,
    rng: np.random.Generator,
) -> None:
    """One roof of two slopes, its shadow and a chimney."""
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])

    def corner(x: float, y: float) -> NDArray[np.float64]:
        return (np.array([x, y]) * half) @ rotation + centre

    outline = np.array([corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)])
    ridge = np.array([corner(-0.95, 0), corner(0.95, 0)])
    roof = rng.uniform(110, 225)
    _polygon(canvas, outline + _SHADOW * 1.4, 38)
    _polygon(canvas, outline, roof)
    _polygon(canvas, np.array([ridge[0], ridge[1], outline[2], outline[3]]), roof * 0.66)
    _line(canvas, ridge, min(255, roof * 1.2), 2)
    _polygon(canvas, corner(0.5, -0.4) + np.array([[-3, -3], [3, -3], [3, 3], [-3, 3]]), 60)


def _polygon(canvas: NDArray[np.uint8], points: NDArray[np.float64], grey: float) -> None:
    fixed = np.rint(points * 2**_SHIFT).astype(np.int32)
    cv2.fillConvexPoly(canvas, fixed, float(grey), cv2.LINE_AA, _SHIFT)


def _trees(
    canvas: NDArray[np.uint8],
    where: NDArray[np.bool_],
    count: int,
    rng: np.random.Generator,
) -> None:
    """Round crowns, lit from the north-west."""
    rows, columns = np.nonzero(where[::4, ::4])
    if len(rows) == 0:
        return
    for index in rng.integers(0, len(rows), count):
        centre = np.array([columns[index], rows[index]]) * 4 + rng.uniform(0, 4, 2)
        radius = rng.uniform(5, 13)
        grey = rng.uniform(58, 112)
        for offset, size, shade in (
            (_SHADOW * radius / 9, radius, 30.0),
            (np.zeros(2), radius, grey),
            (-_SHADOW * radius / 32, radius * 0.55, grey * 1.35),
        ):
            x, y = np.rint((centre + offset) * 2**_SHIFT).astype(int)
            size = round(size * 2**_SHIFT)
            cv2.circle(canvas, (int(x), int(y)), size, shade, -1, cv2.LINE_AA, _SHIFT)
