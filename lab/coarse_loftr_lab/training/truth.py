"""What a training pair is: two views, and where each pixel of one is seen in the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from coarse_loftr_lab.training.pixel_maps import PixelMap, inside, join

__all__ = [
    "PairBatch",
    "maps_from_depth",
    "maps_from_homography",
    "pixel_grid",
    "transform",
]


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Two views of B scenes and where each pixel of one is seen in the other.

    Pixels are (x, y) with the centre of the top-left pixel at the origin. A map says nothing
    where its view is not visible in the other.

    Attributes:
        reference: float32 [B, 1, H, W] in [0, 1].
        current: float32 [B, 1, H, W] in [0, 1].
        to_current: where pixels of the reference are in the current view.
        to_reference: the other direction.
    """

    reference: Tensor
    current: Tensor
    to_current: PixelMap
    to_reference: PixelMap

    def __len__(self) -> int:
        return len(self.reference)

    def to(self, device: torch.device | str) -> PairBatch:
        """The same pairs on a device."""
        images = (view.to(device, non_blocking=True) for view in (self.reference, self.current))
        return PairBatch(*images, self.to_current.to(device), self.to_reference.to(device))

    def select(self, which: slice) -> PairBatch:
        """Some of the pairs."""
        images = self.reference[which], self.current[which]
        return PairBatch(*images, self.to_current.select(which), self.to_reference.select(which))

    @classmethod
    def concatenate(cls, batches: list[PairBatch]) -> PairBatch:
        """All pairs of several batches of one size, in order."""
        return cls(
            torch.cat([batch.reference for batch in batches]),
            torch.cat([batch.current for batch in batches]),
            join([batch.to_current for batch in batches]),
            join([batch.to_reference for batch in batches]),
        )


def pixel_grid(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Pixel coordinates, float32 [H, W, 2], (x, y)."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y], dim=-1)


def transform(homography: Tensor, points: Tensor) -> Tensor:
    """Points [B, N, 2] through homographies [B, 3, 3]; points behind the view become far away."""
    moved = torch.matmul(F.pad(points, (0, 1), value=1.0), homography.transpose(1, 2))
    depth = moved[..., 2:]
    behind = depth < 1e-6
    return torch.where(behind, torch.full_like(moved[..., :2], -1e6), moved[..., :2] / depth)


def maps_from_homography(homography: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Where a plane's pixels go.

    Args:
        homography: float [B, 3, 3] between the pixels of two views.
        size: (width, height) of both views.

    Returns:
        The map float32 [B, H, W, 2] and what of it lies in the other view, bool [B, H, W].
    """
    width, height = size
    grid = pixel_grid(height, width, homography.device).flatten(0, 1)
    moved = transform(homography.float(), grid.expand(len(homography), -1, -1))
    moved = moved.unflatten(1, (height, width))
    return moved, inside(moved, height, width)


def maps_from_depth(
    depth_from: Tensor,
    depth_to: Tensor,
    intrinsics_from: Tensor,
    intrinsics_to: Tensor,
    pose: Tensor,
    tolerance: float = 0.03,
) -> tuple[Tensor, Tensor]:
    """Where the pixels of one view are seen in another, by depth and motion.

    Args:
        depth_from: float32 [B, H, W], distance along the optical axis; 0 where unknown.
        depth_to: float32 [B, H, W] of the other view, in the same unit.
        intrinsics_from: float [B, 3, 3], px.
        intrinsics_to: float [B, 3, 3], px.
        pose: float [B, 4, 4], camera of the first view to camera of the other.
        tolerance: a point is hidden when the other view's depth differs from its own by more
            than this share.

    Returns:
        The map float32 [B, H, W, 2] and where it is known and seen, bool [B, H, W].
    """
    height, width = depth_from.shape[1:]
    grid = pixel_grid(height, width, depth_from.device).flatten(0, 1)
    rays = torch.matmul(
        F.pad(grid, (0, 1), value=1.0), torch.linalg.inv(intrinsics_from.float()).transpose(1, 2)
    )
    points = rays * depth_from.flatten(1)[..., None]
    pose = pose.float()
    points = torch.matmul(points, pose[:, :3, :3].transpose(1, 2)) + pose[:, None, :3, 3]
    depth = points[..., 2]
    moved = transform(intrinsics_to.float(), points[..., :2] / depth.clamp(min=1e-6)[..., None])
    known = (depth_from.flatten(1) > 0) & (depth > 1e-6) & inside(moved, height, width)
    index = torch.round(moved).nan_to_num(0.0).long()
    x, y = index[..., 0].clamp(0, width - 1), index[..., 1].clamp(0, height - 1)
    seen = depth_to.flatten(1).gather(1, y * width + x)
    visible = known & (seen > 0) & ((seen - depth).abs() < tolerance * depth)
    return moved.unflatten(1, (height, width)), visible.unflatten(1, (height, width))
