"""Pairs that show nothing in common: different photographs, and walls whose texture repeats itself.

Deterministic: the same folder, seed and index give the same pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.photographs import find_photographs
from coarse_loftr_lab.evaluation.data.random_homographies import HEIGHT, WIDTH
from coarse_loftr_lab.evaluation.data.split import held_out
from coarse_loftr_ros.recordings.image_files import read_grey

__all__ = ["RepeatedTextures", "UnrelatedPair", "UnrelatedPairs", "UnrelatedPhotographs"]

TEXTURES = ("grid", "bricks", "tiles", "chessboard", "dots")
# A wall is drawn larger than the view, which moves and turns over it.
_WALL_PX = 1400


@dataclass(frozen=True, eq=False)
class UnrelatedPair:
    """Two images between which there is no homography.

    Attributes:
        name: for reports.
        reference: uint8 [480, 640].
        current: uint8 [480, 640].
    """

    name: str
    reference: NDArray[np.uint8]
    current: NDArray[np.uint8]


class UnrelatedPairs(Protocol):
    """Pairs of one kind.

    Attributes:
        name: of the kind.
    """

    name: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> UnrelatedPair: ...


class UnrelatedPhotographs:
    """Pairs of different photographs, the middle of each.

    Args:
        directory: see ``find_photographs``.
        count: number of pairs.
        seed: another seed gives other pairs.
        keep: see ``find_photographs``.

    Raises:
        NotADirectoryError: see ``find_photographs``.
        ValueError: when fewer than two photographs are kept, or ``count`` is less than 1.
    """

    name = "unrelated photographs"

    def __init__(
        self, directory: Path, count: int, seed: int = 0, keep: Callable[[Path], bool] = held_out
    ) -> None:
        if count < 1:
            raise ValueError(f"count is {count}; it must be at least 1")
        self._files = find_photographs(directory, keep)
        if len(self._files) < 2:
            raise ValueError(f"{directory} has one photograph to use; a pair needs two")
        self._count, self._seed = count, seed

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> UnrelatedPair:
        """The pair with this index."""
        random = np.random.default_rng([self._seed, index])
        files = [self._files[k] for k in random.choice(len(self._files), 2, replace=False)]
        name = " ".join(f"{path.parent.name}/{path.name}" for path in files)
        return UnrelatedPair(name, *(_filled(read_grey(path)) for path in files))


class RepeatedTextures:
    """Pairs of drawn walls with one kind of texture, each with a period and a light of its own.

    Args:
        count: number of pairs.
        seed: another seed gives other walls.

    Raises:
        ValueError: when ``count`` is less than 1.
    """

    name = "repeated textures"

    def __init__(self, count: int, seed: int = 0) -> None:
        if count < 1:
            raise ValueError(f"count is {count}; it must be at least 1")
        self._count, self._seed = count, seed

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> UnrelatedPair:
        """The pair with this index: all kinds in turn, worn ones and such with equal parts."""
        random = np.random.default_rng([self._seed, index])
        texture = TEXTURES[index % len(TEXTURES)]
        worn = index // len(TEXTURES) % 2 == 0
        views = [_seen(_wall(texture, worn, random), random) for _ in range(2)]
        return UnrelatedPair(f"{texture}, {'worn' if worn else 'clean'} {index}", *views)


def _filled(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of an image, as large as fits the view."""
    height, width = image.shape
    scale = max(WIDTH / width, HEIGHT / height)
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    image = cv2.resize(image, (round(scale * width), round(scale * height)), interpolation=how)
    top, left = (image.shape[0] - HEIGHT) // 2, (image.shape[1] - WIDTH) // 2
    return np.ascontiguousarray(image[top : top + HEIGHT, left : left + WIDTH])


def _wall(texture: str, worn: bool, random: np.random.Generator) -> NDArray[np.float32]:
    """A wall of equal parts; those of a worn one have shades of their own."""
    size = (_WALL_PX, _WALL_PX)
    width = int(random.integers(24, 90))
    height = width if texture in ("grid", "chessboard") else int(width * random.uniform(0.3, 1.1))
    joint = int(random.integers(2, 6))
    shade, differ = random.uniform(130, 220), random.uniform(5, 25) if worn else 0.0
    wall = np.full(size, shade if texture == "dots" else random.uniform(60, 120), np.float32)
    for row, y in enumerate(range(-height, _WALL_PX, height)):
        shift = width // 2 if texture == "bricks" and row % 2 else 0
        for column, x in enumerate(range(-width, _WALL_PX, width)):
            value = shade + random.normal(0, 1) * differ
            if texture == "dots":
                cv2.circle(wall, (x, y), max(3, min(width, height) // 4), value - 90, -1)
                continue
            if texture == "chessboard" and (row + column) % 2:
                value -= 80
            corner = x + shift + width - joint, y + height - joint
            cv2.rectangle(wall, (x + shift, y), corner, value, -1)
    return cv2.GaussianBlur(wall, (0, 0), 1.0)


def _seen(wall: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.uint8]:
    """A view of the wall: turned little or much, slanted, in uneven light, with noise."""
    turn = np.radians(random.uniform(-180, 180) if random.random() < 0.5 else random.uniform(-9, 9))
    scale = random.uniform(0.8, 1.3)
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    middle = _WALL_PX / 2 + random.uniform(-60, 60, 2)
    to_wall = np.array([[cosine, -sine, middle[0]], [sine, cosine, middle[1]], [0, 0, 1]])
    to_wall[2, :2] = random.uniform(-3e-4, 3e-4, 2)
    to_wall = to_wall @ np.array([[1, 0, -WIDTH / 2], [0, 1, -HEIGHT / 2], [0, 0, 1]])
    view = cv2.warpPerspective(
        wall,
        to_wall,
        (WIDTH, HEIGHT),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    right, down = (np.linspace(*random.uniform(0.75, 1.1, 2), n) for n in (WIDTH, HEIGHT))
    view *= down[:, None] * right
    view += random.normal(0, 3, view.shape)
    return np.clip(view, 0, 255).astype(np.uint8)
