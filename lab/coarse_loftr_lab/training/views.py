"""Renders pairs in batches on the device that trains: pieces, depth order, truth, photometry."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from coarse_loftr_lab.training.photometry import disturb
from coarse_loftr_lab.training.recipes import RecipeBatch
from coarse_loftr_lab.training.truth import PairBatch, inside, pixel_grid

__all__ = ["render_pairs"]

_LEVELS = 3  # of the textures' pyramid; reduction by 8 is the strongest


def render_pairs(
    recipes: RecipeBatch, size: tuple[int, int], at_once: int | None = None
) -> PairBatch:
    """Render both views of each pair with their exact truth.

    Args:
        recipes: on the device that shall do the work.
        size: (width, height) of the views, px; multiples of 32.
        at_once: pairs that are made together. By default all on a GPU, which spends more on
            starting work than on doing it, and two on a CPU, whose caches hold no more.
    """
    if at_once is None:
        at_once = 2 if recipes.textures.device.type == "cpu" else len(recipes)
    parts = [
        _render(recipes.select(slice(first, first + at_once)), size)
        for first in range(0, len(recipes), at_once)
    ]
    return parts[0] if len(parts) == 1 else PairBatch.concatenate(parts)


def _render(recipes: RecipeBatch, size: tuple[int, int]) -> PairBatch:
    """All views of the pairs together, reference views first."""
    surface = _nearest_surface(recipes, size)
    generator = torch.Generator(recipes.textures.device)
    generator.manual_seed(int(recipes.seed[0]))
    images = _shade(recipes, surface, _pyramid(recipes.textures), generator)
    images = disturb(images, recipes.disturbance, generator)
    target, visible = _truth(recipes, surface)
    (there, back), (seen, seen_back) = target.chunk(2), visible.chunk(2)
    return PairBatch(*images.chunk(2), there, seen, back, seen_back)


@dataclass(frozen=True, eq=False)
class _Surface:
    """What the 2 * B views show at each pixel.

    Attributes:
        piece: int64 [2 * B, H, W], -1 where there is nothing.
        a: float32 [2 * B, H, W], position on the piece along u.
        b: float32 [2 * B, H, W], along v.
        inverse_depth: float32 [2 * B, H, W].
    """

    piece: Tensor
    a: Tensor
    b: Tensor
    inverse_depth: Tensor


def _by_view(values: Tensor) -> Tensor:
    """Values [B, 2, ...] of the views of each pair as [2 * B, ...], reference views first."""
    return values.transpose(0, 1).flatten(0, 1)


def _nearest_surface(recipes: RecipeBatch, size: tuple[int, int]) -> _Surface:
    """Depth order, of as many pieces at a time as there are views.

    A piece lies where all of its edges, linear in the pixel, are positive: no division per piece.
    """
    width, height = size
    device, views = recipes.count.device, 2 * len(recipes)
    to_piece = _by_view(recipes.to_piece)
    edges = _edges(recipes, to_piece)
    round_ = (recipes.round > 0) & ~recipes.endless
    any_round = bool(round_.any())
    grid = pixel_grid(height, width, device).flatten(0, 1)
    pixels = F.pad(grid, (0, 1), value=1.0).T.contiguous()
    nearest = torch.full((views, height * width), 1e-7, device=device)
    piece = torch.full(nearest.shape, -1, dtype=torch.int64, device=device)
    counts = recipes.count.tolist() * 2
    first = 0
    while first < max(counts):
        those = torch.tensor([v for v in range(views) if counts[v] > first], device=device)
        after = min(max(counts), first + max(1, views // len(those)))
        at = torch.matmul(edges[those, first:after], pixels)
        depth, inside = at[:, :, 0], at.amin(2)
        if any_round:
            # (d - a) (d + a) + (d - b) (d + b) is 2 d d - a a - b b.
            ellipse = at[:, :, 1] * at[:, :, 2] + at[:, :, 3] * at[:, :, 4] - depth * depth
            only = round_[those % len(recipes), first:after, None]
            inside = torch.where(only, torch.minimum(ellipse, inside), inside)
        depth = depth.masked_fill(inside < 0, 0.0)
        deepest, which = depth.max(1) if after > first + 1 else (depth[:, 0], 0)
        before = nearest[those]
        piece[those] = torch.where(deepest > before, which + first, piece[those])
        nearest[those] = torch.maximum(deepest, before)
        first = after
    piece, nearest = (each.unflatten(1, (height, width)) for each in (piece, nearest))
    x, y = grid.unflatten(0, (height, width)).unbind(-1)
    m = _of_pieces(to_piece[:, :, :2].flatten(2), piece)
    a = (m[0] * x + m[1] * y + m[2]) / nearest
    b = (m[3] * x + m[4] * y + m[5]) / nearest
    return _Surface(piece, a, b, nearest)


def _edges(recipes: RecipeBatch, to_piece: Tensor) -> Tensor:
    """What is positive within a piece, per pixel (x, y, 1): float32 [2 * B, N, E, 3].

    The inverse depth, its distance from both coordinates either way, and the long side of
    triangles where there are any.
    """
    a, b, depth = to_piece.unbind(2)
    endless, triangle = (
        each.repeat(2, 1)[..., None] for each in (recipes.endless, recipes.triangle)
    )
    a, b = (each.masked_fill(endless, 0.0) for each in (a, b))
    rows = [depth, depth - a, depth + a, depth - b, depth + b]
    if bool(triangle.any()):
        # The tolerance closes the seam between two triangles.
        rows.append(torch.where(triangle, 1e-4 * depth - a - b, depth))
    pieces = torch.arange(to_piece.shape[1], device=to_piece.device)
    padding = (pieces >= recipes.count[:, None]).repeat(2, 1)[..., None, None]
    return torch.stack(rows, 2).masked_fill(padding, -1.0)


def _of_pieces(values: Tensor, piece: Tensor) -> tuple[Tensor, ...]:
    """C values [B, N, C] of the piece at each pixel [B, H, W]: C times [B, H, W]."""
    batch, pieces = values.shape[:2]
    first = torch.arange(batch, device=piece.device)[:, None, None] * pieces
    index = (piece.clamp(min=0) + first).flatten()
    table = values.flatten(0, 1).T.contiguous()  # plane by plane: what is computed is contiguous
    return table.index_select(1, index).unflatten(1, piece.shape).unbind(0)


def _pyramid(textures: Tensor) -> list[Tensor]:
    """Textures [B, K, h, w] at 1, 1/2, 1/4 ... of their size."""
    levels = [textures.float() / 255.0]
    for _ in range(_LEVELS):
        levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True))
    return levels


def _shade(
    recipes: RecipeBatch, surface: _Surface, pyramid: list[Tensor], generator: torch.Generator
) -> Tensor:
    """Grey levels [2 * B, 1, H, W], each pixel from the pyramid level that fits its footprint."""
    textures, height, width = pyramid[0].shape[1:]
    # Texture pixels per view pixel: the determinant of a homography's Jacobian.
    area = torch.linalg.det(_by_view(recipes.to_piece)).abs() * (width * height)
    region, row = recipes.region.repeat(2, 1, 1), recipes.texture.repeat(2, 1)
    area = area * region[..., 2:].prod(-1).abs()
    values = torch.cat([region, area[..., None], row[..., None]], dim=-1)
    x0, y0, half_x, half_y, area, row = _of_pieces(values, surface.piece)
    x, y = x0 + _folded(surface.a) * half_x, y0 + _folded(surface.b) * half_y
    area = area / surface.inverse_depth**3
    level = (0.5 * torch.log2(area.clamp(min=1e-6))).clamp(0.0, _LEVELS - 1e-3)
    image = torch.zeros(len(x), 1, *surface.piece.shape[1:], device=x.device)
    for number, texture in enumerate(pyramid):
        weight = (1.0 - (level - number).abs()).clamp(min=0.0)[:, None]
        those = (weight.flatten(1).amax(1) > 0).nonzero()[:, 0]
        if len(those) == 0:
            continue
        h, w = texture.shape[2:]
        # The textures lie one below the other; half a pixel from the seams nothing bleeds.
        u = x[those].clamp(0.5 / w, 1.0 - 0.5 / w) * 2.0 - 1.0
        v = (y[those].clamp(0.5 / h, 1.0 - 0.5 / h) + row[those]) / textures * 2.0 - 1.0
        column = texture[those % len(recipes)].flatten(1, 2)[:, None]
        sample = F.grid_sample(column, torch.stack([u, v], dim=-1), align_corners=False)
        image[those] += weight[those] * sample
    nothing = torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(generator=generator)
    return torch.where((surface.piece < 0)[:, None], nothing, image)


def _folded(position: Tensor) -> Tensor:
    """Triangle wave: an endless piece shows its texture mirrored again and again."""
    return 1.0 - (torch.remainder(position + 1.0, 4.0) - 2.0).abs()


def _truth(recipes: RecipeBatch, own: _Surface) -> tuple[Tensor, Tensor]:
    """Where the pixels of each view are seen in the other of its pair, and whether they are."""
    height, width = own.piece.shape[1:]
    matrix = _by_view(recipes.from_piece.flip(1)).flatten(2)
    values = torch.cat([matrix, recipes.moving.repeat(2, 1)[..., None]], dim=-1)
    *m, moving = _of_pieces(values, own.piece)
    depth = m[6] * own.a + m[7] * own.b + m[8]
    front = depth > 1e-7
    scale = 1.0 / depth.masked_fill(~front, 1.0)
    x = (m[0] * own.a + m[1] * own.b + m[2]) * scale
    y = (m[3] * own.a + m[4] * own.b + m[5]) * scale
    target = torch.stack([x, y], dim=-1)
    visible = (own.piece >= 0) & front & (moving == 0) & inside(target, height, width)
    index = torch.round(target).clamp(-1.0, 1e4).long()
    x, y = index[..., 0].clamp(0, width - 1), index[..., 1].clamp(0, height - 1)
    others = own.piece.roll(len(recipes), 0).flatten(1)
    there = others.gather(1, (y * width + x).flatten(1)).view_as(own.piece)
    return target, visible & (there == own.piece)
