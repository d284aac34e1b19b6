"""What views show at each pixel: the nearest of a scene's pieces, found tile by tile.

As in tile-based rasterisers, a piece is looked at in those tiles alone where it may be seen: none
of its edges, linear in the pixel, is negative at all corners, and nothing nearer covers the tile.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from coarse_loftr_lab.training.recipes import RecipeBatch
from coarse_loftr_lab.training.truth import pixel_grid

__all__ = ["Surface", "nearest_surface"]

_TILE = 16  # px; divides the sides of all views
_MARGIN = 1e-4  # of edges at corners, beyond the rounding of those at pixels
_NOTHING = 1e-7  # inverse depth of what is not there


@dataclass(frozen=True, eq=False)
class Surface:
    """What V views show: T tiles, row by row, of P pixels each, row by row.

    Attributes:
        piece: int32 [V, T, P], -1 where there is nothing.
        a: float32 [V, T, P], position on the piece along u.
        b: float32 [V, T, P], along v.
        inverse_depth: float32 [V, T, P].
        size: (width, height) of the views, px.
    """

    piece: Tensor
    a: Tensor
    b: Tensor
    inverse_depth: Tensor
    size: tuple[int, int]

    def as_images(self, values: Tensor) -> Tensor:
        """Values [V, T, P] of the pixels as [V, H, W]."""
        width, height = self.size
        tiles = values.unflatten(2, (_TILE, _TILE)).unflatten(1, (height // _TILE, width // _TILE))
        return tiles.transpose(2, 3).reshape(-1, height, width)


def nearest_surface(recipes: RecipeBatch, size: tuple[int, int]) -> Surface:
    """Depth order of the pieces in both views of each pair.

    Args:
        recipes: of B pairs.
        size: (width, height) of the views, px; multiples of 32.

    Returns:
        Of 2 * B views, those of a pair side by side.
    """
    width, height = size
    device = recipes.count.device
    to_piece = recipes.to_piece.flatten(0, 1)
    corners = _homogeneous(pixel_grid(height // _TILE, width // _TILE, device) * _TILE)
    candidate, covered = _tiles_of_pieces(recipes, to_piece, corners)
    view, tile, piece = candidate.transpose(1, 2).nonzero().unbind(1)
    rows = to_piece[view, piece]
    at_corner = rows @ corners[tile][:, :, None]
    rows = torch.cat([rows[..., :2], at_corner], dim=2).flatten(0, 1)
    # Of each piece in each of its tiles: a and b times the inverse depth, and that.
    seen = (rows @ _homogeneous(pixel_grid(_TILE, _TILE, device)).T).unflatten(0, (-1, 3))
    partial = (~covered[view, piece, tile]).nonzero()[:, 0]
    if len(partial):
        kinds = (
            kind[view[partial] // 2, piece[partial], None]
            for kind in (recipes.round > 0, recipes.triangle, recipes.endless)
        )
        seen[:, 2].index_copy_(0, partial, _clipped(seen.index_select(0, partial), *kinds))

    piece = piece.int()
    counts = candidate.sum(1).flatten()
    first = counts.cumsum(0) - counts
    nearest = seen.index_select(0, first)
    shown = piece[first, None].repeat(1, nearest.shape[2])
    for number in range(1, int(counts.max())):
        tiles = (counts > number).nonzero()[:, 0]
        other = first[tiles] + number
        before, now = nearest.index_select(0, tiles), seen.index_select(0, other)
        nearer = now[:, 2] > before[:, 2]
        nearest.index_copy_(0, tiles, torch.where(nearer[:, None], now, before))
        before = shown.index_select(0, tiles)
        shown.index_copy_(0, tiles, torch.where(nearer, piece[other, None], before))
    a, b, depth = nearest.unflatten(0, (len(to_piece), len(corners))).unbind(2)
    shown = shown.view(depth.shape).masked_fill_(depth <= _NOTHING, -1)
    depth = depth.clamp(min=_NOTHING)
    return Surface(shown, a / depth, b / depth, depth, size)


def _homogeneous(grid: Tensor) -> Tensor:
    """Points [..., 2] as [N, 3]."""
    return torch.nn.functional.pad(grid.flatten(0, -2), (0, 1), value=1.0)


def _tiles_of_pieces(
    recipes: RecipeBatch, to_piece: Tensor, corners: Tensor
) -> tuple[Tensor, Tensor]:
    """In which tiles pieces [V, N] may show, one at least in each, and which they cover.

    Args:
        recipes: of the pairs.
        to_piece: float32 [V, N, 3, 3] of the views.
        corners: float32 [T, 3], (x, y, 1) of the tiles' first pixels.

    Returns:
        bool [V, N, T] both.
    """
    edges = _edges(recipes, to_piece)
    at = edges @ corners.T
    reach = (_TILE - 1) * edges[..., :2]
    highest = at + reach.clamp(min=0).sum(3, keepdim=True)
    lowest = at + reach.clamp(max=0).sum(3, keepdim=True)
    round_ = ((recipes.round > 0) & ~recipes.endless).repeat_interleave(2, 0)
    covered = (lowest.amin(2) > _MARGIN) & ~round_[..., None]
    nearest = torch.where(covered, lowest[:, :, 0], 0.0).amax(1, keepdim=True)
    candidate = (highest.amin(2) > -_MARGIN) & (highest[:, :, 0] >= nearest)
    candidate[:, 0] |= ~candidate.any(1)
    return candidate, covered


def _edges(recipes: RecipeBatch, to_piece: Tensor) -> Tensor:
    """What is positive within a piece, per pixel (x, y, 1): float32 [V, N, E, 3].

    The inverse depth first, its distance from both coordinates either way, and the long side of
    triangles where there are any.
    """
    a, b, depth = to_piece.unbind(2)
    endless, triangle = (
        kind.repeat_interleave(2, 0)[..., None] for kind in (recipes.endless, recipes.triangle)
    )
    a, b = (each.masked_fill(endless, 0.0) for each in (a, b))
    rows = [depth, depth - a, depth + a, depth - b, depth + b]
    if bool(triangle.any()):
        rows.append(torch.where(triangle, 1e-4 * depth - a - b, depth))
    pieces = torch.arange(to_piece.shape[1], device=to_piece.device)
    padding = (pieces >= recipes.count[:, None]).repeat_interleave(2, 0)
    return torch.stack(rows, 2).masked_fill(padding[..., None, None], -1.0)


def _clipped(seen: Tensor, round_: Tensor, triangle: Tensor, endless: Tensor) -> Tensor:
    """Inverse depth [K, P] of pieces, 0 beside them.

    Args:
        seen: float32 [K, 3, P], a and b times the inverse depth, and that.
        round_: bool [K, 1], which are ellipses.
        triangle: bool [K, 1], which are triangles.
        endless: bool [K, 1], which have no border.
    """
    a, b, depth = seen.unbind(1)
    inside = depth - torch.maximum(a.abs(), b.abs())
    if bool(triangle.any()):
        # The tolerance closes the seam between two triangles.
        half = torch.minimum(inside, 1e-4 * depth - a - b)
        inside = torch.where(triangle, half, inside)
    if bool(round_.any()):
        ellipse = torch.minimum(inside, depth * depth - a * a - b * b)
        inside = torch.where(round_, ellipse, inside)
    inside = torch.where(endless, depth, inside)
    return depth.masked_fill(inside < 0, 0.0)
