"""Where the pixels of one view are seen in another: at every pixel, or worked out when asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from coarse_loftr_lab.training.recipes import RecipeBatch

__all__ = ["DenseMap", "PieceMap", "PixelMap", "inside", "join"]


@dataclass(frozen=True, eq=False)
class DenseMap:
    """A map that is known at every pixel.

    Attributes:
        target: float32 [B, H, W, 2], px of the other view for each pixel.
        visible: bool [B, H, W], whether that is known and inside the other view.
    """

    target: Tensor
    visible: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, H, W)."""
        return tuple(self.visible.shape)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.visible.device

    def at(self, pair: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Target [..., 2] and visibility [...] of pixels, given by int64 tensors [...]."""
        return self.target[pair, y, x], self.visible[pair, y, x]

    def dense(self) -> DenseMap:
        """At every pixel."""
        return self

    def to(self, device: torch.device | str) -> DenseMap:
        """The same on a device."""
        return _each(self, lambda value: value.to(device, non_blocking=True))

    def select(self, which: slice) -> DenseMap:
        """Of some of the pairs."""
        return _each(self, lambda value: value[which])


@dataclass(frozen=True, eq=False)
class PieceMap:
    """The map of views of flat pieces, worked out at the pixels that are asked for.

    Attributes:
        own: int32 [B, H, W], piece at each pixel of the view, -1 where there is nothing.
        other: int32 [B, H, W], the same of the other view.
        homography: float32 [B, N, 3, 3] of each piece, from this view to the other; the third
            component is positive for what is in front of the other.
        moving: bool [B, N], pieces without truth.
    """

    own: Tensor
    other: Tensor
    homography: Tensor
    moving: Tensor

    @classmethod
    def of_views(cls, recipes: RecipeBatch, pieces: Tensor, *, reverse: bool = False) -> PieceMap:
        """Of rendered pairs.

        Args:
            recipes: of the B pairs.
            pieces: int32 [B, 2, H, W] at the pixels of the views.
            reverse: from the current view to the reference.
        """
        own, other = (1, 0) if reverse else (0, 1)
        homography = recipes.from_piece[:, other] @ recipes.to_piece[:, own]
        return cls(pieces[:, own], pieces[:, other], homography, recipes.moving)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, H, W)."""
        return tuple(self.own.shape)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.own.device

    def at(self, pair: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """As ``DenseMap.at``. A pixel is visible where the other view shows the same piece."""
        height, width = self.own.shape[1:]
        piece = self.own[pair, y, x]
        number = piece.clamp(min=0).long()
        pixel = torch.stack(torch.broadcast_tensors(x, y, torch.ones_like(x)), dim=-1).float()
        moved = (self.homography[pair, number] @ pixel[..., None])[..., 0]
        front = moved[..., 2] > 1e-7
        target = moved[..., :2] / torch.where(front, moved[..., 2], 1.0)[..., None]
        column, row = torch.round(target).clamp(-1.0, 1e4).long().unbind(-1)
        there = self.other[pair, row.clamp(0, height - 1), column.clamp(0, width - 1)]
        seen = (piece >= 0) & front & ~self.moving[pair, number] & inside(target, height, width)
        return target, seen & (there == piece)

    def dense(self) -> DenseMap:
        """At every pixel."""
        axes = (torch.arange(side, device=self.own.device) for side in self.shape)
        return DenseMap(*self.at(*torch.meshgrid(*axes, indexing="ij")))

    def to(self, device: torch.device | str) -> PieceMap:
        """The same on a device."""
        return _each(self, lambda value: value.to(device, non_blocking=True))

    def select(self, which: slice) -> PieceMap:
        """Of some of the pairs."""
        return _each(self, lambda value: value[which])


PixelMap = DenseMap | PieceMap
_Map = TypeVar("_Map", DenseMap, PieceMap)


def _each(pixel_map: _Map, change: Callable[[Tensor], Tensor]) -> _Map:
    """The map with each of its tensors changed."""
    return type(pixel_map)(*(change(getattr(pixel_map, f.name)) for f in fields(pixel_map)))


def inside(points: Tensor, height: int, width: int) -> Tensor:
    """Which points [..., 2] lie on a view's pixels, bool [...]."""
    x, y = points.unbind(-1)
    return (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)


def join(maps: list[PixelMap]) -> PixelMap:
    """Maps of one size as that of all their pairs, in order."""
    if not all(isinstance(each, PieceMap) for each in maps):
        dense = [each.dense() for each in maps]
        return DenseMap(
            torch.cat([each.target for each in dense]), torch.cat([each.visible for each in dense])
        )
    most = max(each.moving.shape[1] for each in maps)
    missing = [most - each.moving.shape[1] for each in maps]
    pairs = list(zip(maps, missing, strict=True))
    return PieceMap(
        torch.cat([each.own for each in maps]),
        torch.cat([each.other for each in maps]),
        torch.cat([F.pad(each.homography, (0, 0, 0, 0, 0, pad)) for each, pad in pairs]),
        torch.cat([F.pad(each.moving, (0, pad)) for each, pad in pairs]),
    )
