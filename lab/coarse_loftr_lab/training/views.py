"""Renders pairs in batches on the device that trains: pieces, depth order, truth, photometry."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from coarse_loftr_lab.training.photometry import disturb
from coarse_loftr_lab.training.pixel_maps import PieceMap
from coarse_loftr_lab.training.recipes import PYRAMID_LEVELS, RecipeBatch
from coarse_loftr_lab.training.surfaces import Surface, nearest_surface
from coarse_loftr_lab.training.truth import PairBatch

__all__ = ["render_pairs"]


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
    """All views of the pairs together, those of a pair side by side."""
    surface = nearest_surface(recipes, size)
    generator = torch.Generator(recipes.textures.device)
    generator.manual_seed(int(recipes.seed[0]))
    images = surface.as_images(_shade(recipes, surface, generator))[:, None]
    images = disturb(images, recipes.disturbance, generator)
    pieces = surface.as_images(surface.piece).unflatten(0, (-1, 2))
    to_current = PieceMap.of_views(recipes, pieces)
    to_reference = PieceMap.of_views(recipes, pieces, reverse=True)
    return PairBatch(*images.unflatten(0, (-1, 2)).unbind(1), to_current, to_reference)


def _shade(recipes: RecipeBatch, surface: Surface, generator: torch.Generator) -> Tensor:
    """Grey levels [V, T, P], each pixel between the two pyramid levels that fit its footprint."""
    textures, height, width = recipes.textures.shape[1:]
    region = recipes.region.repeat_interleave(2, 0)
    row = recipes.texture.repeat_interleave(2, 0)
    # Texture pixels per view pixel: the determinant of a homography's Jacobian.
    area = torch.linalg.det(recipes.to_piece.flatten(0, 1)).abs() * (width * height)
    area = area * region[..., 2:].prod(-1).abs()
    level = 0.5 * area.clamp(min=1e-12).log2()
    values = torch.cat([region, level[..., None], row[..., None]], dim=-1)
    x0, y0, half_x, half_y, level, row = _of_pieces(values, surface.piece)
    level = level.sub_(surface.inverse_depth.log2(), alpha=1.5).clamp_(0.0, PYRAMID_LEVELS - 1e-3)
    lower = level.floor()
    share = lower.neg().exp2_()
    share = torch.stack([share, 0.5 * share], dim=1)  # of the full size, of both levels
    u = x0.addcmul_(_folded(surface.a), half_x)
    v = y0.addcmul_(_folded(surface.b), half_y)
    # Half a pixel from the seams of the atlas nothing bleeds.
    x = torch.minimum((u[:, None] * share).clamp_(min=0.5 / width), share - 0.5 / width)
    y = torch.minimum((v[:, None] * share).clamp_(min=0.5 / height), share - 0.5 / height)
    per_width = 2.0 / (2.0 - 0.5**PYRAMID_LEVELS)
    x = x.sub_(share, alpha=2.0).mul_(per_width).add_(2.0 * per_width - 1.0)
    y = y.add_(row[:, None]).mul_(2.0 / textures).sub_(1.0)
    grid = torch.view_as_real(torch.complex(x, y))  # quicker than stacking
    grid = grid.view(len(recipes), -1, grid.shape[3], 2)
    sample = F.grid_sample(_atlas(recipes.textures), grid, align_corners=False)
    image = torch.lerp(*sample.view(share.shape).unbind(1), level.sub_(lower))
    nothing = torch.empty(len(image), 1, 1, device=image.device).uniform_(generator=generator)
    return torch.where(surface.piece < 0, nothing, image)


def _of_pieces(values: Tensor, piece: Tensor) -> tuple[Tensor, ...]:
    """C values [V, N, C] of the piece at each pixel [V, T, P]: C times [V, T, P]."""
    views, pieces = values.shape[:2]
    first = torch.arange(views, device=piece.device, dtype=piece.dtype)[:, None, None] * pieces
    index = (piece.clamp(min=0) + first).flatten()
    table = values.flatten(0, 1).T.contiguous()  # plane by plane: what is computed is contiguous
    return table.index_select(1, index).unflatten(1, piece.shape).unbind(0)


def _atlas(textures: Tensor) -> Tensor:
    """Textures uint8 [B, K, h, w] one below the other, and each one's halves beside it.

    Returns:
        float32 [B, 1, K * h, (2 - 1 / 2 ** L) * w] in [0, 1]: what is smaller by 2 ** n begins
        at column (2 - 2 / 2 ** n) * w.
    """
    batch, count, height, width = textures.shape
    columns = 2 * width - (width >> PYRAMID_LEVELS)
    atlas = torch.zeros(batch, count, height, columns, device=textures.device)
    level, column = torch.mul(textures, 1.0 / 255.0, out=atlas[..., :width]), width
    for _ in range(PYRAMID_LEVELS):
        pairs = level[..., ::2, :] + level[..., 1::2, :]
        pairs = pairs[..., ::2] + pairs[..., 1::2]
        height, width = pairs.shape[2:]
        level = torch.mul(pairs, 0.25, out=atlas[..., :height, column : column + width])
        column += width
    return atlas.flatten(1, 2)[:, None]


def _folded(position: Tensor) -> Tensor:
    """Triangle wave: an endless piece shows its texture mirrored again and again."""
    turns = (position + 1.0).mul_(0.25)
    return turns.sub_(turns.floor()).sub_(0.5).abs_().mul_(-4.0).add_(1.0)
