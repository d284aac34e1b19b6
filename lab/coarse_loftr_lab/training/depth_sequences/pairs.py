"""Pairs of posed images that see the same, and their truth."""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from coarse_loftr_lab.training.depth_sequences.layout import DatasetLayout
from coarse_loftr_lab.training.depth_sequences.reading import fit_about_middle
from coarse_loftr_lab.training.pixel_maps import DenseMap
from coarse_loftr_lab.training.truth import PairBatch, maps_from_depth

__all__ = ["PosedPair", "PosedPairs"]

_TRIALS = 8
_COARSE = 8  # overlap is measured on every 8th pixel


@dataclass(frozen=True, eq=False)
class PosedPair:
    """Two images with depth and relative pose; with a leading dimension [B] after ``collate``.

    Attributes:
        reference: uint8 [1, H, W].
        current: uint8 [1, H, W].
        reference_depth: float32 [H, W], 0 where unknown.
        current_depth: float32 [H, W].
        reference_intrinsics: float64 [3, 3].
        current_intrinsics: float64 [3, 3].
        motion: float64 [4, 4], reference camera to current camera.
    """

    reference: Tensor
    current: Tensor
    reference_depth: Tensor
    current_depth: Tensor
    reference_intrinsics: Tensor
    current_intrinsics: Tensor
    motion: Tensor

    def _each(self, change) -> PosedPair:
        return PosedPair(*(change(getattr(self, field.name)) for field in fields(self)))

    def to(self, device: torch.device) -> PosedPair:
        """The same on a device."""
        return self._each(lambda value: value.to(device, non_blocking=True))

    def pin_memory(self) -> PosedPair:
        """The same in memory that a GPU reads by itself."""
        return self._each(Tensor.pin_memory)

    @staticmethod
    def collate(pairs: list[PosedPair]) -> PosedPair:
        """Pairs side by side."""
        return PosedPair(
            *(torch.stack([getattr(p, field.name) for p in pairs]) for field in fields(PosedPair))
        )

    def with_truth(self) -> PairBatch:
        """Collated pairs with where each pixel is seen in the other view."""
        depths = self.reference_depth, self.current_depth
        intrinsics = self.reference_intrinsics, self.current_intrinsics
        return PairBatch(
            self.reference.float() / 255,
            self.current.float() / 255,
            DenseMap(*maps_from_depth(*depths, *intrinsics, self.motion)),
            DenseMap(
                *maps_from_depth(*depths[::-1], *intrinsics[::-1], torch.linalg.inv(self.motion))
            ),
        )


class PosedPairs(Dataset[PosedPair]):
    """Pairs by number: pair ``i`` of a seed is always the same.

    A reference is drawn, then partners until one sees a share of it within the limits; after
    eight trials the best of them is taken.

    Args:
        layout: the data.
        size: (width, height) of the views; images are cut to this shape about their middle.
        overlap: least and largest share of the reference's known pixels that the current image
            sees.
        seed: of the choice.
    """

    def __init__(
        self, layout: DatasetLayout, size: tuple[int, int], overlap: tuple[float, float], seed: int
    ) -> None:
        self.layout = layout
        self.size = size
        self.overlap = overlap
        self.seed = seed

    def __len__(self) -> int:
        return len(self.layout)

    def __getitem__(self, number: int) -> PosedPair:
        rng = np.random.default_rng((self.seed, number))
        middle = sum(self.overlap) / 2
        best, distance = None, np.inf
        for _ in range(_TRIALS):
            reference = int(rng.integers(len(self.layout)))
            partners = self.layout.partners(reference)
            if len(partners) == 0:
                continue
            current = int(partners[int(rng.integers(len(partners)))])
            share = self._share_seen(reference, current)
            away = 0.0 if share is None else abs(share - middle)
            if away < distance:
                best, distance = (reference, current), away
            if away <= middle - self.overlap[0]:
                break
        if best is None:
            raise ValueError("no image of the sequence has a partner that shows the same")
        return self._pair(*best)

    def _share_seen(self, reference: int, current: int) -> float | None:
        """Share of the reference's known pixels seen in the current view; ``None``: unknown."""
        depths = [self.layout.depth(number) for number in (reference, current)]
        if depths[0] is None or depths[1] is None:
            return None
        cameras = [self.layout.camera(number) for number in (reference, current)]
        size = tuple(max(8, side // _COARSE) for side in self.size)
        views = [fit_about_middle(depth, size, cv2.INTER_NEAREST_EXACT) for depth in depths]
        tensors = [torch.from_numpy(view)[None] for view, _ in views]
        intrinsics = [
            torch.from_numpy(change @ camera.intrinsics)[None]
            for camera, (_, change) in zip(cameras, views, strict=True)
        ]
        motion = torch.from_numpy(cameras[1].pose @ np.linalg.inv(cameras[0].pose))[None]
        _, visible = maps_from_depth(*tensors, *intrinsics, motion, tolerance=0.1)
        known = tensors[0] > 0
        return float(visible.sum() / known.sum().clamp(min=1))

    def _pair(self, reference: int, current: int) -> PosedPair:
        images, depths, intrinsics = [], [], []
        cameras = [self.layout.camera(number) for number in (reference, current)]
        for number, camera in zip((reference, current), cameras, strict=True):
            image, depth = self.layout.image(number), self.layout.depth(number)
            if depth is None:
                depth = np.zeros(image.shape, np.float32)
            if depth.shape != image.shape:
                raise ValueError(f"image {number} is {image.shape}, its depth {depth.shape} px")
            image, change = fit_about_middle(image, self.size, cv2.INTER_AREA)
            depth, _ = fit_about_middle(depth, self.size, cv2.INTER_NEAREST_EXACT)
            images.append(torch.from_numpy(image)[None])
            depths.append(torch.from_numpy(depth))
            intrinsics.append(torch.from_numpy(change @ camera.intrinsics))
        motion = cameras[1].pose @ np.linalg.inv(cameras[0].pose)
        return PosedPair(*images, *depths, *intrinsics, torch.from_numpy(motion))
