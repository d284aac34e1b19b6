"""Losses and figures of pairs whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from coarse_loftr_lab.network.matcher_net import COARSE_STRIDE, FINE_STRIDE, MatcherNet
from coarse_loftr_lab.training.pixel_maps import PixelMap
from coarse_loftr_lab.training.truth import PairBatch

__all__ = ["FINE_WINDOW", "PairFigures", "cell_centres", "supervise", "true_cells"]

FINE_WINDOW = 8
"""Side of the square of fine pixels searched around a coarse match."""

_FULL_WEIGHT = 16  # cells from which on a pair weighs as much as any other


@dataclass(frozen=True)
class PairFigures:
    """Loss and measurements of a batch.

    Attributes:
        loss: what is minimised.
        coarse_loss: cross entropy of the coarse softmax, both directions.
        fine_loss: cross entropy of the fine window.
        coarse_recall: share of cells visible in both views whose best match is the true cell or
            one beside it.
        coarse_exact: share of them whose best match is the true cell.
        fine_error_px: median distance of the fine estimate from the truth, px, given the
            right window.
        similarity: float32 [B, L, S], scaled similarities of all pairs of cells.
    """

    loss: Tensor
    coarse_loss: Tensor
    fine_loss: Tensor
    coarse_recall: Tensor
    coarse_exact: Tensor
    fine_error_px: Tensor
    similarity: Tensor


def cell_centres(rows: int, columns: int, device: torch.device) -> Tensor:
    """Centres of the coarse cells, float32 [rows * columns, 2], (x, y) in pixels."""
    offset = (COARSE_STRIDE - 1) / 2
    y, x = torch.meshgrid(
        torch.arange(rows, device=device, dtype=torch.float32),
        torch.arange(columns, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y], dim=-1).flatten(0, 1) * COARSE_STRIDE + offset


def true_cells(pixel_map: PixelMap) -> tuple[Tensor, Tensor]:
    """For each cell of one view its cell in the other, and whether it has one.

    Args:
        pixel_map: where pixels of B views are in the other.

    Returns:
        int64 [B, L] and bool [B, L]; a cell goes where the pixel right and below its centre goes.
    """
    middle = COARSE_STRIDE // 2
    pairs, height, width = pixel_map.shape
    rows, columns = height // COARSE_STRIDE, width // COARSE_STRIDE
    pair = torch.arange(pairs, device=pixel_map.device)[:, None, None]
    y = torch.arange(middle, height, COARSE_STRIDE, device=pixel_map.device)[:, None]
    x = torch.arange(middle, width, COARSE_STRIDE, device=pixel_map.device)
    at, seen = pixel_map.at(pair, y, x)
    cell = torch.floor((at.nan_to_num(0.0).clamp(-1.0, 1e5) + 0.5) / COARSE_STRIDE).long()
    column, row = cell[..., 0].clamp(0, columns - 1), cell[..., 1].clamp(0, rows - 1)
    return (row * columns + column).flatten(1), seen.flatten(1)


def supervise(
    net: MatcherNet,
    batch: PairBatch,
    generator: torch.Generator,
    *,
    first_pair: int = 0,
    fine_points: int = 64,
    fine_weight: float = 0.5,
) -> PairFigures:
    """Run the network on pairs and compare with the truth.

    Losses are means over the pairs of each pair's own mean, and what is drawn for a pair depends
    on the generator and the pair's number alone. So a step that is made in parts, or by several
    processes, has the loss of the whole one.

    Args:
        net: the network, or a wrapper with the same ``forward``; its ``fine_scale`` comes with
            the output.
        batch: on the network's device.
        generator: CPU generator for the sampled fine points and the position offset.
        first_pair: number within its step of the batch's first pair.
        fine_points: fine positions supervised per pair.
        fine_weight: of the fine loss.
    """
    columns = batch.reference.shape[3] // COARSE_STRIDE
    offset = torch.randint(0, 32, (2,), generator=generator).tolist()
    similarity, fine_reference, fine_current, fine_scale = net(
        batch.reference, batch.current, (offset[0], offset[1])
    )
    forward, forward_valid = true_cells(batch.to_current)
    backward, backward_valid = true_cells(batch.to_reference)
    coarse_loss = 0.5 * (
        _cross_entropy(similarity, forward, forward_valid, over=2)
        + _cross_entropy(similarity, backward, backward_valid, over=1)
    )
    with torch.no_grad():
        best = similarity.argmax(dim=2)
        dx = (best % columns - forward % columns).abs()
        dy = (best // columns - forward // columns).abs()
        near = ((dx <= 1) & (dy <= 1))[forward_valid].float().mean()
        exact = (best == forward)[forward_valid].float().mean()

    draws = torch.rand(first_pair + len(batch), forward.shape[1], 3, generator=generator)
    draws = draws[first_pair:].to(forward.device)
    pair, cell = _pick(forward_valid, fine_points, draws[..., 0])
    fine_loss, fine_error = _fine(
        fine_scale,
        fine_reference,
        fine_current,
        batch,
        pair,
        cell,
        forward[pair, cell],
        draws[pair, cell, 1:],
    )
    return PairFigures(
        coarse_loss + fine_weight * fine_loss,
        coarse_loss,
        fine_loss,
        near,
        exact,
        fine_error,
        similarity,
    )


def _cross_entropy(similarity: Tensor, target: Tensor, valid: Tensor, over: int) -> Tensor:
    """Of the softmax over one dimension of [B, L, S], for the valid cells along the other."""
    log_probability = F.log_softmax(similarity, dim=over)
    losses = -log_probability.gather(over, target.unsqueeze(over)).squeeze(over)
    count = valid.sum(1).clamp(min=_FULL_WEIGHT)
    return ((losses * valid).sum(1) / count).mean()


def _mean_of_pairs(values: Tensor, pair: Tensor, pairs: int) -> Tensor:
    """Mean over all pairs of the means of each pair's values [N]; few values weigh less."""
    sums = values.new_zeros(pairs).index_add(0, pair, values)
    counts = values.new_zeros(pairs).index_add(0, pair, torch.ones_like(values))
    return (sums / counts.clamp(min=_FULL_WEIGHT)).mean()


def _pick(valid: Tensor, per_pair: int, rank: Tensor) -> tuple[Tensor, Tensor]:
    """The valid cells of lowest rank [B, L]: pair numbers and cell numbers, each int64 [N]."""
    rank = torch.where(valid, rank, torch.full_like(rank, 2.0))
    order = rank.argsort(dim=1)[:, :per_pair]
    chosen = valid.gather(1, order)
    pair = torch.arange(len(valid), device=valid.device)[:, None].expand_as(order)
    return pair[chosen], order[chosen]


def _fine(
    scale: Tensor,
    fine_reference: Tensor,
    fine_current: Tensor,
    batch: PairBatch,
    pair: Tensor,
    cell: Tensor,
    matched_cell: Tensor,
    draws: Tensor,
) -> tuple[Tensor, Tensor]:
    """Cross entropy of the fine window for random pixels of the picked cells.

    The window lies around the matched cell's centre, moved by the pixel's own offset from its
    cell's centre, exactly as the runtime does it.
    """
    device = cell.device
    rows, columns = (side // COARSE_STRIDE for side in batch.reference.shape[2:])
    centres = cell_centres(rows, columns, device)
    offset = torch.floor(draws * COARSE_STRIDE) - (COARSE_STRIDE - 1) / 2
    point = centres[cell] + offset
    x, y = point.round().long().unbind(1)
    truth, seen = batch.to_current.at(pair, y, x)

    half = (FINE_WINDOW - 1) / 2
    start = (centres[matched_cell] + offset - (FINE_STRIDE - 1) / 2) / FINE_STRIDE - half
    start = torch.round(start).long()
    target = (truth - (FINE_STRIDE - 1) / 2) / FINE_STRIDE - start
    inside = seen & ((target >= 0) & (target <= FINE_WINDOW - 1)).all(dim=1)
    if not bool(inside.any()):
        zero = fine_reference.sum() * 0.0
        return zero, zero.detach()
    pair, point, start, target = pair[inside], point[inside], start[inside], target[inside]

    descriptor = _sample(fine_reference, pair, (point - (FINE_STRIDE - 1) / 2) / FINE_STRIDE)
    window = _window(fine_current, pair, start)
    logits = scale * torch.einsum("nc,nkc->nk", descriptor, window).float()

    column, row, weight = _corners(target, target.floor().clamp(max=FINE_WINDOW - 2))
    log_probability = F.log_softmax(logits, dim=1)
    losses = -(weight * log_probability.gather(1, row * FINE_WINDOW + column)).sum(1)
    with torch.no_grad():
        estimate = _local_expectation(log_probability.exp())
        error = (estimate - target).norm(dim=1).median() * FINE_STRIDE
    return _mean_of_pairs(losses, pair, len(batch)), error


def _sample(features: Tensor, pair: Tensor, at: Tensor) -> Tensor:
    """Bilinear samples [N, C] of features [B, C, H, W] at (x, y) [N, 2], clamped to the map."""
    height, width = features.shape[2:]
    limit = at.new_tensor([width - 1, height - 1])
    at = torch.minimum(at.clamp(min=0), limit)
    low = torch.minimum(at.floor(), limit - 1).clamp(min=0)
    x, y, weight = _corners(at, low)
    corners = _pixels(features, pair[:, None], y, x)
    return F.normalize((weight[..., None] * corners).sum(1), dim=1, eps=1e-4)


def _corners(at: Tensor, low: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The four pixels between which points [N, 2] lie, from the upper left ones [N, 2] on.

    Returns:
        x and y int64 [N, 4], and the weights float32 [N, 4] of bilinear interpolation.
    """
    step = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]], device=at.device)
    x, y = (low.long()[:, None] + step).unbind(2)
    fraction = (at - low)[:, None]
    return x, y, torch.where(step > 0, fraction, 1 - fraction).prod(2)


def _window(features: Tensor, pair: Tensor, start: Tensor) -> Tensor:
    """Squares of features [N, FINE_WINDOW ** 2, C]; outside the map they are zero."""
    height, width = features.shape[2:]
    step = torch.arange(FINE_WINDOW, device=start.device)
    x = start[:, 0, None, None] + step
    y = start[:, 1, None, None] + step[:, None]
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    window = _pixels(features, pair[:, None, None], y, x) * within[..., None]
    return window.flatten(1, 2)


def _pixels(features: Tensor, pair: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Features [B, C, H, W] of pixels [...], as [..., C].

    Taken from channels that lie side by side, as the network's do, and so do their gradients.
    """
    height, width = features.shape[2:]
    index = (pair * height + y) * width + x
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)
    return rows.index_select(0, index.flatten()).unflatten(0, index.shape)


def _local_expectation(probability: Tensor) -> Tensor:
    """Mean position (x, y) [N, 2] of the 3x3 bins around each maximum."""
    best = probability.argmax(dim=1)
    row = (best // FINE_WINDOW).clamp(1, FINE_WINDOW - 2)
    column = (best % FINE_WINDOW).clamp(1, FINE_WINDOW - 2)
    step = torch.arange(-1, 2, device=probability.device)
    y = (row[:, None, None] + step[:, None]).expand(-1, 3, 3)
    x = (column[:, None, None] + step).expand(-1, 3, 3)
    weight = probability.gather(1, (y * FINE_WINDOW + x).flatten(1))
    weight = weight / weight.sum(dim=1, keepdim=True).clamp(min=1e-9)
    return torch.stack([(weight * x.flatten(1)).sum(1), (weight * y.flatten(1)).sum(1)], dim=1)
