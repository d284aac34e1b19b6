"""Two views of scenes made of flat pieces: a photograph, cards, a street, a room, a terrain.

Every piece is a parallelogram ``origin + a * u + b * v`` with ``a, b`` in [-1, 1] in the reference
camera's frame. A pinhole camera sees it through a homography, and the third component of that
homography is the inverse depth, so a scene of any number of pieces is rendered with its exact
truth from two 3x3 matrices per piece and view. A photograph of which both views are homographies
is the scene of one piece.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.training.homographies import HomographyRange, random_homography

__all__ = [
    "Piece",
    "TwoViewScene",
    "draw_plane",
    "draw_scene",
]

Vector = NDArray[np.float64]

_NEAREST = 1e-4  # depth of what stands before everything else; scenes begin at about 0.3


@dataclass(frozen=True, eq=False)
class Piece:
    """One flat piece as both views see it.

    Attributes:
        reference: float64 [3, 3], homogeneous (a, b, 1) to reference pixels; the third component
            is proportional to the depth, with the same factor for all pieces of a scene.
        current: float64 [3, 3], the same for the current view.
        texture: which of the scene's textures it shows.
        region: float64 [4], centre (x, y) and half extents (x, y) of what it shows, as shares of
            the texture in [0, 1]; negative extents mirror.
        round: 0 for the whole parallelogram, 1 for the ellipse in it.
        triangle: whether only the half with ``a + b <= 0`` is there.
        endless: whether it goes on beyond [-1, 1], the texture mirrored again and again.
        moving: whether it moves by itself; its pixels have no truth.
    """

    reference: Vector
    current: Vector
    texture: int
    region: Vector
    round: float = 0.0
    triangle: bool = False
    endless: bool = False
    moving: bool = False


@dataclass(frozen=True, eq=False)
class TwoViewScene:
    """Pieces in any order: the nearest wins at every pixel."""

    pieces: list[Piece] = field(default_factory=list)


def draw_plane(
    size: tuple[int, int],
    rng: np.random.Generator,
    limits: HomographyRange,
    strength: float = 1.0,
) -> TwoViewScene:
    """Two views of one photograph, sometimes with a piece of another moving before it.

    Args:
        size: (width, height) of the views, px.
        rng: source of randomness.
        limits: of the homography.
        strength: of the homography, in [0, 1].
    """
    extent = np.array(size, np.float64)
    homography = random_homography(size, rng, limits, strength)
    # The reference view shows 0.6 to 1 of the photograph's width: what lies beyond its border
    # may come into the current view.
    shown = rng.uniform(0.6, 1.0)
    at = rng.uniform(-1, 1, 2) * (1 - shown)
    half = extent / 2 / shown
    centre = (extent - 1) / 2 - at * half
    to_reference = np.array([[half[0], 0, centre[0]], [0, half[1], centre[1]], [0, 0, 1.0]])
    to_current = homography @ to_reference
    whole = np.array([0.5, 0.5, 0.5 * rng.choice([-1, 1]), 0.5])
    pieces = [Piece(to_reference, to_current, 0, whole)]
    if rng.random() < 0.35 * strength:
        pieces.append(_passer_by(extent, rng))
    return TwoViewScene(pieces)


def _passer_by(extent: Vector, rng: np.random.Generator) -> Piece:
    """A piece of another photograph in front, elsewhere in each view or in one view only."""
    views = []
    half = extent * rng.uniform(0.08, 0.28, 2)
    centre = rng.uniform(0, 1, 2) * extent
    away = 10.0 if rng.random() < 0.5 else 0.0  # outside the reference view
    for offset in (away, 0.0):
        at = centre + (offset + rng.uniform(-0.15, 0.15, 2)) * extent
        matrix = np.array([[half[0], 0, at[0]], [0, half[1], at[1]], [0, 0, 1.0]])
        views.append(matrix * _NEAREST)
    region = np.array([*rng.uniform(0.3, 0.7, 2), *rng.uniform(0.15, 0.3, 2)])
    return Piece(views[0], views[1], 1, region, round=float(rng.random() < 0.5), moving=True)


def draw_scene(
    size: tuple[int, int], rng: np.random.Generator, textures: int, strength: float = 1.0
) -> TwoViewScene:
    """Two views of a scene with depth: cards before a wall, a street, a room, or a height field.

    Args:
        size: (width, height) of the views, px.
        rng: source of randomness.
        textures: how many the scene may use.
        strength: of the motion, in [0, 1].
    """
    kinds = (_cards, _street, _room, _terrain)
    shapes, forward = kinds[rng.choice(4, p=[0.35, 0.25, 0.25, 0.15])](rng)
    width, height = size
    focal = width * rng.uniform(0.6, 1.3)
    camera = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    rotation, translation = _motion(rng, forward, strength)
    pieces = []
    for shape in shapes:
        axes = np.stack([shape.u, shape.v, shape.origin], axis=1)
        moved = rotation @ axes
        moved[:, 2] += translation
        if shape.solid and not any(_faces_camera(view) for view in (axes, moved)):
            continue
        region, texture = shape.region, 0
        if region is None:
            extent = rng.uniform(0.25, 0.5, 2)
            centre = rng.uniform(extent, 1 - extent)
            region = np.array([*centre, extent[0] * rng.choice([-1, 1]), extent[1]])
            texture = int(rng.integers(textures))
        views = camera @ axes, camera @ moved
        pieces.append(
            Piece(
                *views,
                texture,
                region,
                round=shape.round,
                triangle=shape.triangle,
                endless=shape.endless,
            )
        )
    if rng.random() < 0.15 * strength:
        pieces.append(_passer_by(np.array(size, float), rng))
    return TwoViewScene(pieces)


@dataclass(frozen=True, eq=False)
class _Shape:
    """A parallelogram in the reference camera's frame; depths are about 1."""

    origin: Vector
    u: Vector
    v: Vector
    round: float = 0.0
    endless: bool = False
    solid: bool = False  # seen from the side that u x v points away from, like a box's face
    region: Vector | None = None  # of the first texture; None: drawn
    triangle: bool = False


def _faces_camera(axes: Vector) -> bool:
    """Whether a piece [3, 3] (u, v, origin as columns) turns its outer side to the camera."""
    return float(np.linalg.det(axes)) > 0


def _turn(x: float, y: float, z: float) -> Vector:
    """Rotation by angles about the axes, radians."""
    rotation = np.eye(3)
    for vector in ((x, 0, 0), (0, y, 0), (0, 0, z)):
        rotation = rotation @ cv2.Rodrigues(np.array(vector, np.float64))[0]
    return rotation


def _cards(rng: np.random.Generator) -> tuple[list[_Shape], bool]:
    """Slanted cards of all sizes before a slanted wall."""
    shapes = [_card(rng, np.array([0.0, 0.0, 1.4]), 0.9, 0.5, endless=True)]
    for _ in range(int(rng.integers(2, 6))):
        depth = rng.uniform(0.5, 1.25)
        origin = np.array([*(rng.uniform(-0.55, 0.55, 2) * depth), depth])
        shapes.append(_card(rng, origin, rng.uniform(0.1, 0.35) * depth, 0.8))
    return shapes, False


def _card(
    rng: np.random.Generator, origin: Vector, size: float, slant: float, *, endless: bool = False
) -> _Shape:
    turn = _turn(*rng.uniform(-slant, slant, 2), rng.uniform(-0.5, 0.5))
    u = turn[:, 0] * size * rng.uniform(0.8, 1.4)
    v = turn[:, 1] * size
    return _Shape(origin, u, v, float(not endless and rng.random() < 0.4), endless)


def _street(rng: np.random.Generator) -> tuple[list[_Shape], bool]:
    """Ground, fronts on both sides, something far ahead, boxes at the roadside."""
    camera_height, left, right = rng.uniform(0.12, 0.25), *rng.uniform(0.3, 0.8, 2)
    patch = rng.uniform(0.4, 0.8)
    shapes = [
        _Shape(np.array([0, camera_height, 1.0]), _x(patch), _z(patch), endless=True),
        _Shape(np.array([-left, -0.1, 1.0]), _z(patch), _y(patch * 0.6), endless=True),
        _Shape(np.array([right, -0.1, 1.0]), _z(patch), _y(patch * 0.6), endless=True),
        _Shape(np.array([0, 0, rng.uniform(2.5, 6.0)]), _x(1.5), _y(1.2), endless=True),
    ]
    for _ in range(int(rng.integers(0, 4))):
        side = rng.choice([-1.0, 1.0])
        size = rng.uniform(0.05, 0.14, 3)
        x = side * rng.uniform(0.18, 0.3) + side * size[0]
        centre = np.array([x, camera_height - size[1], rng.uniform(0.5, 1.6)])
        shapes += _box(centre, size, rng.uniform(-0.2, 0.2))
    return shapes, True


def _room(rng: np.random.Generator) -> tuple[list[_Shape], bool]:
    """Floor, walls, and boxes standing on the floor."""
    floor, back = rng.uniform(0.3, 0.6), rng.uniform(1.3, 2.0)
    side = rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 1.0)
    tilt = _turn(rng.uniform(0.0, 0.6), rng.uniform(-0.4, 0.4), 0)
    pivot = np.array([0, 0, 1.0])
    shapes = [
        _Shape(np.array([0, floor, 1.0]), _x(0.6), _z(0.6), endless=True),
        _Shape(np.array([0, 0, back]), _x(0.8), _y(0.7), endless=True),
        _Shape(np.array([side, 0, 1.0]), _z(0.8), _y(0.7), endless=True),
    ]
    for _ in range(int(rng.integers(1, 4))):
        size = rng.uniform(0.06, 0.22, 3)
        centre = np.array([rng.uniform(-0.5, 0.5), floor - size[1], rng.uniform(0.75, back - 0.3)])
        shapes += _box(centre, size, rng.uniform(-0.8, 0.8))
    shapes = [
        replace(s, origin=tilt @ (s.origin - pivot) + pivot, u=tilt @ s.u, v=tilt @ s.v)
        for s in shapes
    ]
    return shapes, False


def _terrain(rng: np.random.Generator) -> tuple[list[_Shape], bool]:
    """A height field: triangles over a grid of random heights, seen from above."""
    columns, rows = (int(n) for n in rng.integers(3, 6, 2))
    x, y = np.linspace(-1.3, 1.3, columns + 1), np.linspace(-1.0, 1.0, rows + 1)
    vertices = np.stack(np.meshgrid(x, y), axis=-1)
    vertices[1:-1, 1:-1] += rng.uniform(-0.08, 0.08, (rows - 1, columns - 1, 2))
    heights = rng.uniform(-1, 1, (rows + 1, columns + 1, 1)) * rng.uniform(0.03, 0.2)
    turn = _turn(*rng.uniform(-0.5, 0.5, 2), rng.uniform(-np.pi, np.pi))
    points = np.concatenate([vertices, heights], axis=-1) @ turn.T + np.array([0, 0, 1.0])
    shapes = []
    half = np.array([0.5 / columns, 0.5 / rows])
    for row in range(rows):
        for column in range(columns):
            middle = np.array([(column + 0.5) / columns, (row + 0.5) / rows])
            a, b = points[row, column : column + 2]
            c, d = points[row + 1, column : column + 2]
            # Neighbours continue each other's texture.
            for first, second, third, sign in ((a, b, c, 1.0), (d, c, b, -1.0)):
                region = np.concatenate([middle, sign * half])
                u, v = (second - first) / 2, (third - first) / 2
                shapes.append(_Shape((second + third) / 2, u, v, region=region, triangle=True))
    return shapes, False


def _box(centre: Vector, half: Vector, yaw: float) -> list[_Shape]:
    """The four sides and the top of a box."""
    turn = _turn(0, yaw, 0)
    x, y, z = turn[:, 0] * half[0], turn[:, 1] * half[1], turn[:, 2] * half[2]
    return [
        _Shape(centre - z, x, y, solid=True),
        _Shape(centre + z, -x, y, solid=True),
        _Shape(centre - x, -z, y, solid=True),
        _Shape(centre + x, z, y, solid=True),
        _Shape(centre - y, x, -z, solid=True),
    ]


def _motion(rng: np.random.Generator, forward: bool, strength: float) -> tuple[Vector, Vector]:
    """Rotation and translation from reference to current camera."""
    roll = rng.uniform(-0.2, 0.2) if rng.random() < 0.7 else rng.uniform(-1.0, 1.0)
    if forward:
        turn = _turn(*rng.uniform(-0.06, 0.06, 2), roll * 0.3)
        step = np.array([*rng.uniform(-0.06, 0.06, 2), rng.uniform(-0.3, 0.35)])
    else:
        # Around a point near the middle of the view, so that the views keep overlapping.
        pivot = np.array([*rng.uniform(-0.2, 0.2, 2), rng.uniform(0.9, 1.3)])
        angles = rng.uniform(-0.35, 0.35, 2)
        turn = _turn(*(angles * strength), roll * strength)
        step = pivot - turn @ pivot
        step += np.array([*rng.uniform(-0.15, 0.15, 2), rng.uniform(-0.3, 0.3)]) * strength
        return turn, step
    turn = _turn(*(cv2.Rodrigues(turn)[0].ravel() * strength))
    return turn, -step * strength


def _x(length: float) -> Vector:
    return np.array([length, 0.0, 0.0])


def _y(length: float) -> Vector:
    return np.array([0.0, length, 0.0])


def _z(length: float) -> Vector:
    return np.array([0.0, 0.0, length])
