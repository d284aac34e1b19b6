"""Renders pairs in batches on the device that trains: pieces, depth order, truth, photometry."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from coarse_loftr_lab.training.photometry import disturb
from coarse_loftr_lab.training.recipes import RecipeBatch
from coarse_loftr_lab.training.truth import PairBatch, inside

__all__ = ["render_pairs"]

_LEVELS = 3  # of the textures' pyramid; reduction by 8 is the strongest


def render_pairs(recipes: RecipeBatch, size: tuple[int, int]) -> PairBatch:
    """Render both views of each pair with their exact truth.

    Args:
        recipes: on the device that shall do the work.
        size: (width, height) of the views, px; multiples of 32.
    """
    surfaces = [_nearest_surface(recipes, view, size) for view in range(2)]
    pyramid = _pyramid(recipes.textures)
    generator = torch.Generator(recipes.textures.device)
    generator.manual_seed(int(recipes.seed[0]))
    images = torch.cat(
        [_shade(recipes, surfaces[view], view, pyramid, generator) for view in range(2)]
    )
    images = disturb(images, recipes.disturbance, generator)
    maps = [_truth(recipes, surfaces, view) for view in range(2)]
    return PairBatch(*images.chunk(2), *maps[0], *maps[1])


@dataclass(frozen=True, eq=False)
class _Surface:
    """What one view shows at each pixel.

    Attributes:
        piece: int64 [B, H, W], -1 where there is nothing.
        a: float32 [B, H, W], position on the piece along u.
        b: float32 [B, H, W], along v.
        inverse_depth: float32 [B, H, W].
    """

    piece: Tensor
    a: Tensor
    b: Tensor
    inverse_depth: Tensor


def _nearest_surface(recipes: RecipeBatch, view: int, size: tuple[int, int]) -> _Surface:
    """Depth order. No division per piece: |a| <= 1 is asked of the homogeneous coordinates."""
    width, height = size
    device = recipes.count.device
    shape = (len(recipes), height, width)
    nearest = torch.full(shape, 1e-7, device=device)
    piece = torch.full(shape, -1, dtype=torch.int64, device=device)
    x = torch.arange(width, device=device, dtype=torch.float32)
    y = torch.arange(height, device=device, dtype=torch.float32)[:, None]
    for n in range(recipes.to_piece.shape[2]):
        those = (recipes.count > n).nonzero()[:, 0]
        matrix = recipes.to_piece[those, view, n][..., None, None]
        a, b, depth = (m[:, 0] * x + (m[:, 1] * y + m[:, 2]) for m in matrix.unbind(1))
        before = nearest[those]
        endless = recipes.endless[those, n, None, None]
        shown = (torch.maximum(a.abs(), b.abs()) <= depth) | endless
        if bool((recipes.round[those, n] > 0).any()):
            square = recipes.round[those, n, None, None] == 0
            shown &= (a * a + b * b <= depth * depth) | square | endless
        if bool(recipes.triangle[those, n].any()):
            # The tolerance closes the seam between two triangles.
            shown &= (a + b <= 1e-4 * depth) | ~recipes.triangle[those, n, None, None]
        shown &= depth > before
        nearest[those] = torch.where(shown, depth, before)
        piece[those] = piece[those].masked_fill(shown, n)
    m = _of_pieces(recipes.to_piece[:, view, :, :2].flatten(2), piece).unbind(-1)
    a = (m[0] * x + m[1] * y + m[2]) / nearest
    b = (m[3] * x + m[4] * y + m[5]) / nearest
    return _Surface(piece, a, b, nearest)


def _of_pieces(values: Tensor, piece: Tensor) -> Tensor:
    """Values [B, N, C] of the piece at each pixel [B, H, W]: [B, H, W, C]."""
    batch, pieces = values.shape[:2]
    first = torch.arange(batch, device=piece.device)[:, None, None] * pieces
    index = (piece.clamp(min=0) + first).flatten()
    return values.flatten(0, 1).index_select(0, index).unflatten(0, piece.shape)


def _pyramid(textures: Tensor) -> list[Tensor]:
    """Textures [B, K, h, w] at 1, 1/2, 1/4 ... of their size."""
    levels = [textures.float() / 255.0]
    for _ in range(_LEVELS):
        levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True))
    return levels


def _shade(
    recipes: RecipeBatch,
    surface: _Surface,
    view: int,
    pyramid: list[Tensor],
    generator: torch.Generator,
) -> Tensor:
    """Grey levels [B, 1, H, W], each pixel from the pyramid level that fits its footprint."""
    textures, height, width = pyramid[0].shape[1:]
    # Texture pixels per view pixel: the determinant of a homography's Jacobian.
    area = torch.linalg.det(recipes.to_piece[:, view]).abs() * (width * height)
    area = area * recipes.region[..., 2:].prod(-1).abs()
    values = torch.cat([recipes.region, area[..., None], recipes.texture[..., None]], dim=-1)
    x0, y0, half_x, half_y, area, row = _of_pieces(values, surface.piece).unbind(-1)
    x, y = x0 + _folded(surface.a) * half_x, y0 + _folded(surface.b) * half_y
    area = area / surface.inverse_depth**3
    level = (0.5 * torch.log2(area.clamp(min=1e-6))).clamp(0.0, _LEVELS - 1e-3)
    image = torch.zeros(len(recipes), 1, *surface.piece.shape[1:], device=x.device)
    for number, texture in enumerate(pyramid):
        weight = (1.0 - (level - number).abs()).clamp(min=0.0)[:, None]
        those = (weight.flatten(1).amax(1) > 0).nonzero()[:, 0]
        if len(those) == 0:
            continue
        h, w = texture.shape[2:]
        # The textures lie one below the other; half a pixel from the seams nothing bleeds.
        u = x[those].clamp(0.5 / w, 1.0 - 0.5 / w) * 2.0 - 1.0
        v = (y[those].clamp(0.5 / h, 1.0 - 0.5 / h) + row[those]) / textures * 2.0 - 1.0
        column = texture[those].flatten(1, 2)[:, None]
        sample = F.grid_sample(column, torch.stack([u, v], dim=-1), align_corners=False)
        image[those] += weight[those] * sample
    nothing = torch.empty(len(recipes), 1, 1, 1, device=x.device).uniform_(generator=generator)
    return torch.where((surface.piece < 0)[:, None], nothing, image)


def _folded(position: Tensor) -> Tensor:
    """Triangle wave: an endless piece shows its texture mirrored again and again."""
    return 1.0 - (torch.remainder(position + 1.0, 4.0) - 2.0).abs()


def _truth(recipes: RecipeBatch, surfaces: list[_Surface], view: int) -> tuple[Tensor, Tensor]:
    """Where the pixels of one view are seen in the other, and whether they are."""
    own, other = surfaces[view], surfaces[1 - view]
    height, width = own.piece.shape[1:]
    matrix = recipes.from_piece[:, 1 - view].flatten(2)
    values = torch.cat([matrix, recipes.moving[..., None]], dim=-1)
    *m, moving = _of_pieces(values, own.piece).unbind(-1)
    depth = m[6] * own.a + m[7] * own.b + m[8]
    front = depth > 1e-7
    scale = 1.0 / depth.masked_fill(~front, 1.0)
    x = (m[0] * own.a + m[1] * own.b + m[2]) * scale
    y = (m[3] * own.a + m[4] * own.b + m[5]) * scale
    target = torch.stack([x, y], dim=-1)
    visible = (own.piece >= 0) & front & (moving == 0) & inside(target, height, width)
    index = torch.round(target).clamp(-1.0, 1e4).long()
    x, y = index[..., 0].clamp(0, width - 1), index[..., 1].clamp(0, height - 1)
    there = other.piece.flatten(1).gather(1, (y * width + x).flatten(1)).view_as(own.piece)
    return target, visible & (there == own.piece)
