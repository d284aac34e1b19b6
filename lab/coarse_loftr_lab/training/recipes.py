"""Training pairs by number: what is drawn by chance on the CPU, before anything is rendered."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from coarse_loftr_lab.evaluation.data.split import held_out
from coarse_loftr_lab.training.homographies import HomographyRange
from coarse_loftr_lab.training.photometry import (
    Disturbance,
    draw_disturbance,
    stack_disturbances,
)
from coarse_loftr_lab.training.scenes import (
    TwoViewScene,
    draw_plane,
    draw_scene,
)

__all__ = ["PYRAMID_LEVELS", "PairRecipes", "RecipeBatch", "SceneMix", "find_images"]

PYRAMID_LEVELS = 3
"""How often a texture is halved; the sides of textures are multiples of what that divides by."""

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def find_images(*folders: Path, held_out_split: bool) -> list[Path]:
    """All images below the folders that belong to one split, in a fixed order.

    Raises:
        FileNotFoundError: when there are none.
    """
    images = sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
        and not path.name.startswith(".")  # what desktops hide beside an image
        and held_out(path) == held_out_split
    )
    if not images:
        split = "validation" if held_out_split else "training"
        raise FileNotFoundError(
            f"{', '.join(str(folder) for folder in folders)}: no images of the {split} split "
            f"({', '.join(sorted(_SUFFIXES))})"
        )
    return images


@dataclass(frozen=True)
class SceneMix:
    """What pairs a training run sees.

    Attributes:
        parallax_share: share of pairs from scenes with depth instead of one photograph.
        textures: photographs per scene.
        texture_scale: size of a texture relative to the views.
        homography: ranges of the pairs of one photograph.
    """

    parallax_share: float = 0.35
    textures: int = 3
    texture_scale: float = 1.5
    homography: HomographyRange = field(default_factory=HomographyRange)


@dataclass(frozen=True, eq=False)
class RecipeBatch:
    """B pairs to be rendered; view 0 is the reference, view 1 the current one.

    Attributes:
        textures: uint8 [B, K, h, w].
        to_piece: float32 [B, 2, N, 3, 3], view pixels to (a, b, 1) times inverse depth.
        from_piece: float32 [B, 2, N, 3, 3], its inverse.
        texture: int64 [B, N], the texture of each piece.
        region: float32 [B, N, 4], see ``Piece``.
        round: float32 [B, N].
        triangle: bool [B, N].
        endless: bool [B, N].
        moving: bool [B, N].
        count: int64 [B], pieces of each pair; the rest is padding.
        disturbance: of the 2 * B views, those of a pair side by side.
        seed: int64 [B], of the noise.
    """

    textures: Tensor
    to_piece: Tensor
    from_piece: Tensor
    texture: Tensor
    region: Tensor
    round: Tensor
    triangle: Tensor
    endless: Tensor
    moving: Tensor
    count: Tensor
    disturbance: Disturbance
    seed: Tensor

    def __len__(self) -> int:
        return len(self.count)

    def to(self, device: torch.device | str) -> RecipeBatch:
        """The same on a device."""
        return RecipeBatch(*(getattr(self, f.name).to(device) for f in fields(self)))

    def select(self, which: slice) -> RecipeBatch:
        """Some of the pairs, without the pieces and textures that none of them has."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        disturbance = values.pop("disturbance")
        some = {name: value[which] for name, value in values.items()}
        most = int(some["count"].max())
        for name in ("texture", "region", "round", "triangle", "endless", "moving"):
            some[name] = some[name][:, :most]
        for name in ("to_piece", "from_piece"):
            some[name] = some[name][:, :, :most]
        some["textures"] = some["textures"][:, : int(some["texture"].max()) + 1]
        return RecipeBatch(**some, disturbance=disturbance.select(which))


@dataclass(frozen=True, eq=False)
class _Recipe:
    textures: NDArray[np.uint8]
    scene: TwoViewScene
    disturbances: tuple[Disturbance, Disturbance]
    seed: int


class PairRecipes(Dataset[_Recipe]):
    """Recipes by number.

    Recipe ``i`` of a seed is always the same, so training can resume anywhere and several
    processes can share a run.

    Args:
        images: files to draw from; read on first use and kept.
        size: (width, height) of the views, multiples of 32.
        length: number of pairs.
        seed: of the whole set.
        mix: what kinds of pairs.
        ramp: number of pairs over which motion and photometry grow from a third to their full
            strength.
    """

    def __init__(
        self,
        images: list[Path],
        size: tuple[int, int],
        length: int,
        seed: int,
        mix: SceneMix | None = None,
        ramp: int = 0,
    ) -> None:
        self.images = images
        self.size = size
        self.length = length
        self.seed = seed
        self.mix = mix or SceneMix()
        self.ramp = ramp
        self._cache: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> _Recipe:
        rng = np.random.default_rng((self.seed, index))
        strength = min(1.0, 0.33 + 0.67 * index / self.ramp) if self.ramp else 1.0
        if rng.random() < self.mix.parallax_share:
            scene = draw_scene(self.size, rng, self.mix.textures, strength)
        else:
            scene = draw_plane(self.size, rng, self.mix.homography, strength)
        used = max(piece.texture for piece in scene.pieces) + 1
        drawn = [self._texture(rng) for _ in range(used)]
        textures = np.zeros((self.mix.textures, *drawn[0].shape), np.uint8)
        textures[:used] = drawn
        disturbances = draw_disturbance(rng, strength), draw_disturbance(rng, strength)
        return _Recipe(textures, scene, disturbances, int(rng.integers(2**31)))

    def _texture(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Most of a photograph, cut to the views' shape."""
        photograph = self._image(int(rng.integers(len(self.images))))
        multiple = 2**PYRAMID_LEVELS
        width, height = (
            max(1, round(side * self.mix.texture_scale / multiple)) * multiple for side in self.size
        )
        largest = min(photograph.shape[1] / width, photograph.shape[0] / height)
        scale = largest * rng.uniform(0.75, 1.0)
        w, h = round(width * scale), round(height * scale)
        x = int(rng.integers(0, photograph.shape[1] - w + 1))
        y = int(rng.integers(0, photograph.shape[0] - h + 1))
        how = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
        return cv2.resize(photograph[y : y + h, x : x + w], (width, height), interpolation=how)

    def _image(self, number: int) -> NDArray[np.uint8]:
        if number not in self._cache:
            path = self.images[number]
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise ValueError(f"{path} is not an image that OpenCV reads")
            self._cache[number] = image
        return self._cache[number]

    @staticmethod
    def collate(recipes: list[_Recipe]) -> RecipeBatch:
        """Recipes side by side, for a DataLoader."""
        batch, most = len(recipes), max(len(recipe.scene.pieces) for recipe in recipes)
        from_piece = np.tile(np.eye(3), (batch, 2, most, 1, 1))
        to_piece = from_piece.copy()
        numbers = {
            name: np.zeros((batch, most, *shape), kind)
            for name, shape, kind in (
                ("texture", (), np.int64),
                ("region", (4,), np.float32),
                ("round", (), np.float32),
                ("triangle", (), np.bool_),
                ("endless", (), np.bool_),
                ("moving", (), np.bool_),
            )
        }
        for i, recipe in enumerate(recipes):
            for n, piece in enumerate(recipe.scene.pieces):
                from_piece[i, 0, n], from_piece[i, 1, n] = piece.reference, piece.current
                for view in range(2):
                    to_piece[i, view, n] = np.linalg.inv(from_piece[i, view, n])
                for name, values in numbers.items():
                    values[i, n] = getattr(piece, name)
        return RecipeBatch(
            textures=torch.from_numpy(np.stack([recipe.textures for recipe in recipes])),
            to_piece=torch.from_numpy(to_piece.astype(np.float32)),
            from_piece=torch.from_numpy(from_piece.astype(np.float32)),
            **{name: torch.from_numpy(values) for name, values in numbers.items()},
            count=torch.tensor([len(recipe.scene.pieces) for recipe in recipes]),
            disturbance=stack_disturbances(
                [one for recipe in recipes for one in recipe.disturbances]
            ),
            seed=torch.tensor([recipe.seed for recipe in recipes]),
        )
