"""Training pairs: two views of one photograph, related by a random homography."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from coarse_loftr_ros.evaluation.data.split import held_out
from coarse_loftr_ros.training.photometry import disturb

__all__ = ["HomographyRange", "PairDataset", "find_images", "random_homography"]

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def find_images(folder: Path, *, held_out_split: bool) -> list[Path]:
    """All images below ``folder`` that belong to one split, in a fixed order.

    Raises:
        FileNotFoundError: when there are none.
    """
    images = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES and held_out(path) == held_out_split
    )
    if not images:
        raise FileNotFoundError(f"{folder} holds no images ({', '.join(sorted(_SUFFIXES))})")
    return images


@dataclass(frozen=True)
class HomographyRange:
    """How far the second view may differ from the first.

    Attributes:
        rotation: common in-plane rotation, degrees either way.
        wide_rotation: the same for the share of wide pairs.
        scale: common change of scale (1.4 means 1 / 1.4 to 1.4).
        wide_scale: the same for the wide pairs.
        shift: of the centre, share of the image size either way.
        perspective: displacement of each corner, share of the image size either way.
        wide_share: share of pairs drawn from the wide ranges.
    """

    rotation: float = 15.0
    wide_rotation: float = 75.0
    scale: float = 1.35
    wide_scale: float = 2.0
    shift: float = 0.22
    perspective: float = 0.13
    wide_share: float = 0.4


def random_homography(
    width: int,
    height: int,
    rng: np.random.Generator,
    limits: HomographyRange,
    strength: float = 1.0,
) -> NDArray[np.float64]:
    """A homography from first-view to second-view pixels, float64 [3, 3].

    Args:
        width: of both views, px.
        height: of both views, px.
        rng: source of randomness.
        limits: the ranges.
        strength: 0 gives the identity, 1 the full ranges (for a curriculum).
    """
    wide = rng.random() < limits.wide_share
    rotation = limits.wide_rotation if wide else limits.rotation
    scale = limits.wide_scale if wide else limits.scale
    angle = np.deg2rad(rng.uniform(-rotation, rotation) * strength)
    zoom = np.exp(rng.uniform(-1, 1) * np.log(scale) * strength)
    size = np.array([width, height], np.float64)
    centre = (size - 1) / 2
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64) * (size - 1)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (corners - centre) @ turn.T + centre
    moved += rng.uniform(-1, 1, 2) * limits.shift * size * strength
    moved += rng.uniform(-1, 1, (4, 2)) * limits.perspective * size * strength
    return cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))


class PairDataset(Dataset[dict[str, Tensor]]):
    """Pairs by number: pair ``i`` of a seed is always the same, so training can resume anywhere.

    Each item holds ``reference`` and ``current`` float32 [1, H, W] in [0, 1], ``homography``
    float64 [3, 3] from reference to current pixels (centre of the top-left pixel at 0), and
    ``reference_valid`` / ``current_valid`` float32 [1, H / 16, W / 16], 1 where a cell shows the
    photograph, 0 where it shows filling or an occluder.

    Args:
        images: files to draw from; read on first use and kept.
        size: (width, height) of the views, multiples of 32.
        length: number of pairs.
        seed: of the whole set.
        limits: of the homographies.
        ramp: number of pairs over which the homographies and the photometry grow from a third to
            their full strength.
    """

    def __init__(
        self,
        images: list[Path],
        size: tuple[int, int],
        length: int,
        seed: int,
        limits: HomographyRange | None = None,
        ramp: int = 0,
    ) -> None:
        self.images = images
        self.size = size
        self.length = length
        self.seed = seed
        self.limits = limits or HomographyRange()
        self.ramp = ramp
        self._cache: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, index))
        strength = min(1.0, 0.33 + 0.67 * index / self.ramp) if self.ramp else 1.0
        photograph = self._image(int(rng.integers(len(self.images))))
        width, height = self.size
        to_reference = self._view(photograph.shape, rng)
        homography = random_homography(width, height, rng, self.limits, strength)
        sample: dict[str, Tensor] = {"homography": torch.from_numpy(homography)}
        for name, warp in (("reference", to_reference), ("current", homography @ to_reference)):
            view, valid = self._render(photograph, warp, rng)
            if name == "current" and rng.random() < 0.3 * strength:
                self._occlude(view, valid, rng)
            view = disturb(view, rng, strength)
            cells = cv2.resize(valid, (width // 16, height // 16), interpolation=cv2.INTER_AREA)
            sample[name] = torch.from_numpy(view)[None]
            sample[f"{name}_valid"] = torch.from_numpy((cells > 0.5).astype(np.float32))[None]
        return sample

    def _image(self, number: int) -> NDArray[np.uint8]:
        if number not in self._cache:
            path = self.images[number]
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise ValueError(f"{path} is not an image that OpenCV reads")
            self._cache[number] = image
        return self._cache[number]

    def _view(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        """An upright crop of the photograph: its pixels to those of the reference view."""
        width, height = self.size
        largest = min(shape[1] / width, shape[0] / height)
        step = largest * rng.uniform(0.6, 1.0)
        x = rng.uniform(0, shape[1] - step * width)
        y = rng.uniform(0, shape[0] - step * height)
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        left = x if mirror > 0 else x + step * (width - 1)
        crop = np.array([[mirror * step, 0, left], [0, step, y], [0, 0, 1]])
        return np.linalg.inv(crop)

    def _render(
        self, photograph: NDArray[np.uint8], warp: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        fill = float(rng.uniform(0, 255))
        view = cv2.warpPerspective(photograph, warp, self.size, borderValue=fill)
        inside = cv2.warpPerspective(np.ones_like(photograph), warp, self.size)
        return view.astype(np.float32) * np.float32(1 / 255), inside.astype(np.float32)

    def _occlude(
        self, view: NDArray[np.float32], valid: NDArray[np.float32], rng: np.random.Generator
    ) -> None:
        """Put a piece of another photograph in front, as a passing object would be."""
        height, width = view.shape
        other = self._image(int(rng.integers(len(self.images))))
        h = int(height * rng.uniform(0.15, 0.5))
        w = int(width * rng.uniform(0.15, 0.5))
        y = int(rng.integers(0, height - h + 1))
        x = int(rng.integers(0, width - w + 1))
        patch = cv2.resize(other, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        view[y : y + h, x : x + w] = patch
        valid[y : y + h, x : x + w] = 0.0
