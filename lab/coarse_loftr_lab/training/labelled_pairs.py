"""Pairs of real images whose truth is the labels that ``coarse-loftr label`` wrote.

Labels are points; training asks about pixels. Near a label a pixel moves as the homography of the
whole pair says, and by what the label moves beside it. Where labels beside each other move
differently, at the edge of something near, only their own pixels are believed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from coarse_loftr_lab.labelling.label_files import Labels
from coarse_loftr_lab.labelling.nearest_points import NearestPoints, common_motion
from coarse_loftr_lab.training.depth_sequences.reading import fit_about_middle
from coarse_loftr_lab.training.homographies import HomographyRange, random_homography
from coarse_loftr_lab.training.photometry import disturb, draw_disturbance, stack_disturbances
from coarse_loftr_lab.training.pixel_maps import DenseMap
from coarse_loftr_lab.training.truth import PairBatch
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.recordings.image_files import read_grey

__all__ = ["LabelledPair", "LabelledPairs", "labelled_map"]

_REACH_PX = 9.0  # of a label among labels that move alike, px of the view
_LONELY_PX = 1.5  # of one that does not
_ALIKE_PX = 1.0
# Of the current view, beside its own motion.
_MOTION = HomographyRange(
    rotation=15.0, scale=1.25, shift=0.08, perspective=0.06, wide_share=0.0, turned_share=0.0
)


@dataclass(frozen=True, eq=False)
class LabelledPair:
    """Two views and where pixels near labels went; with a leading [B] after ``collate``.

    Attributes:
        reference: uint8 [1, H, W].
        current: uint8 [1, H, W].
        to_current: float32 [H, W, 2], px.
        reference_visible: bool [H, W], whether that is known.
        to_reference: float32 [H, W, 2].
        current_visible: bool [H, W].
    """

    reference: Tensor
    current: Tensor
    to_current: Tensor
    reference_visible: Tensor
    to_reference: Tensor
    current_visible: Tensor

    def _each(self, change) -> LabelledPair:
        return LabelledPair(*(change(getattr(self, field.name)) for field in fields(self)))

    def to(self, device: torch.device) -> LabelledPair:
        """The same on a device."""
        return self._each(lambda value: value.to(device, non_blocking=True))

    def pin_memory(self) -> LabelledPair:
        """The same in memory that a GPU reads by itself."""
        return self._each(Tensor.pin_memory)

    @staticmethod
    def collate(pairs: list[LabelledPair]) -> LabelledPair:
        """Pairs side by side."""
        names = [field.name for field in fields(LabelledPair)]
        return LabelledPair(*(torch.stack([getattr(p, name) for p in pairs]) for name in names))

    def with_truth(self) -> PairBatch:
        """Collated pairs as training takes them."""
        return PairBatch(
            self.reference.float() / 255,
            self.current.float() / 255,
            DenseMap(self.to_current, self.reference_visible),
            DenseMap(self.to_reference, self.current_visible),
        )


class LabelledPairs(Dataset[LabelledPair]):
    """Pairs by number: pair ``i`` of a seed is always the same.

    Half of the pairs are taken the other way round, half are mirrored, and of half the current
    view is moved by a homography beside its own motion. Views are disturbed like rendered ones: a
    network that knows what its teacher knew has nothing to learn from what the teacher saw.

    Args:
        folder: of the labels.
        size: (width, height) of the views; images are cut to this shape about their middle.
        seed: of the choice.
        photometry: strength of the disturbance; 0 is none.

    Raises:
        FileNotFoundError: when labels or their images are missing.
        ValueError: when labels cannot be read, or images have changed since.
    """

    def __init__(
        self, folder: Path, size: tuple[int, int], seed: int, photometry: float = 1.0
    ) -> None:
        self.labels = Labels.read(folder)
        self.labels.check_images()
        self.size = size
        self.seed = seed
        self.photometry = photometry

    def __len__(self) -> int:
        return len(self.labels.pairs)

    def __getitem__(self, number: int) -> LabelledPair:
        rng = np.random.default_rng((self.seed, number))
        pair = self.labels.pairs[int(rng.integers(len(self)))]
        ends = [(pair.images[0], pair.reference), (pair.images[1], pair.current)]
        if rng.random() < 0.5:
            ends.reverse()
        changes = [_mirror(self.size) if rng.random() < 0.5 else np.eye(3)] * 2
        if rng.random() < 0.5:
            changes[1] = random_homography(self.size, rng, _MOTION) @ changes[1]
        images, points = [], []
        for (image_number, own), change in zip(ends, changes, strict=True):
            image, fit = fit_about_middle(
                read_grey(self.labels.images[image_number].path), self.size, cv2.INTER_AREA
            )
            images.append(cv2.warpPerspective(image, change, self.size, flags=cv2.INTER_LINEAR))
            points.append(transfer(change @ fit, own))
        limit = np.array(self.size) - 1
        inside = np.logical_and.reduce([((p >= 0) & (p <= limit)).all(axis=1) for p in points])
        reference, current = (p[inside] for p in points)
        there = labelled_map(reference, current, self.size)
        back = labelled_map(current, reference, self.size)
        disturbed = self._disturbed(images, rng)
        return LabelledPair(*disturbed, *map(torch.from_numpy, (*there, *back)))

    def _disturbed(self, images: list[NDArray[np.uint8]], rng: np.random.Generator) -> Tensor:
        """Both views as other cameras and hours would have them, uint8 [2, 1, H, W]."""
        views = torch.from_numpy(np.stack(images))[:, None]
        disturbances = [draw_disturbance(rng, self.photometry) for _ in images]
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        changed = disturb(views.float() / 255, stack_disturbances(disturbances), generator)
        return (changed * 255).round().byte()


def _mirror(size: tuple[int, int]) -> NDArray[np.float64]:
    """Left to right, [3, 3]."""
    return np.array([[-1.0, 0, size[0] - 1], [0, 1, 0], [0, 0, 1]])


def labelled_map(
    points: NDArray[np.floating], targets: NDArray[np.floating], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where the pixels near labels of one view are in the other.

    Args:
        points: [N, 2], px of the view.
        targets: [N, 2], where they are in the other.
        size: (width, height) of both.

    Returns:
        float32 [H, W, 2], and bool [H, W] where that is known and on the other view.
    """
    width, height = size
    motion = common_motion(points, targets)
    beside = np.asarray(targets - transfer(motion, points), np.float32)
    reach = np.where(_alike(points, beside), _REACH_PX, _LONELY_PX).astype(np.float32)
    nearest = NearestPoints(points, size)
    y, x = np.mgrid[:height, :width]
    moved = transfer(motion, np.stack([x, y], axis=-1).reshape(-1, 2)).reshape(height, width, 2)
    if len(points) == 0:
        return moved.astype(np.float32), np.zeros((height, width), np.bool_)
    moved = (moved + beside[nearest.index]).astype(np.float32)
    known = nearest.distance <= reach[nearest.index]
    known &= ((moved > -0.5) & (moved < np.array(size) - 0.5)).all(axis=-1)
    return np.where(known[..., None], moved, np.float32(-1e6)), known


def _alike(points: NDArray[np.floating], beside: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which labels [N] move as all others within twice the reach do."""
    near = _squared_distances(points) <= (2 * _REACH_PX) ** 2
    return ~(near & (_squared_distances(beside) > _ALIKE_PX**2)).any(axis=1)


def _squared_distances(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Of all pairs of points [N, 2]: float32 [N, N]."""
    x, y = np.asarray(points, np.float32).T
    return np.subtract.outer(x, x) ** 2 + np.subtract.outer(y, y) ** 2
