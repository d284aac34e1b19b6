"""Losses and figures of a pair whose homography is known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from coarse_loftr_ros.network.matcher_net import COARSE_STRIDE, FINE_STRIDE, MatcherNet

__all__ = ["FINE_WINDOW", "PairFigures", "cell_centres", "supervise", "transform"]

FINE_WINDOW = 8
"""Side of the square of fine pixels searched around a coarse match."""


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
    """

    loss: Tensor
    coarse_loss: Tensor
    fine_loss: Tensor
    coarse_recall: Tensor
    coarse_exact: Tensor
    fine_error_px: Tensor


def cell_centres(rows: int, columns: int, device: torch.device) -> Tensor:
    """Centres of the coarse cells, float32 [rows * columns, 2], (x, y) in pixels."""
    offset = (COARSE_STRIDE - 1) / 2
    y, x = torch.meshgrid(
        torch.arange(rows, device=device, dtype=torch.float32),
        torch.arange(columns, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y], dim=-1).flatten(0, 1) * COARSE_STRIDE + offset


def transform(homography: Tensor, points: Tensor) -> Tensor:
    """Points [B, N, 2] through homographies [B, 3, 3]; points behind the view become far away."""
    homogeneous = F.pad(points, (0, 1), value=1.0)
    moved = torch.matmul(homogeneous, homography.transpose(1, 2))
    depth = moved[..., 2:]
    behind = depth < 1e-6
    return torch.where(behind, torch.full_like(moved[..., :2], -1e6), moved[..., :2] / depth)


def _true_cells(homography: Tensor, valid_from: Tensor, valid_to: Tensor) -> tuple[Tensor, Tensor]:
    """For each cell of one view its cell in the other, int64 [B, L], and whether it has one."""
    rows, columns = valid_from.shape[2:]
    centres = cell_centres(rows, columns, homography.device)
    moved = transform(homography, centres.expand(len(homography), -1, -1))
    column = torch.floor((moved[..., 0] + 0.5) / COARSE_STRIDE)
    row = torch.floor((moved[..., 1] + 0.5) / COARSE_STRIDE)
    inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    cell = torch.where(inside, row * columns + column, torch.zeros_like(row)).long()
    visible = valid_to.flatten(1).gather(1, cell) > 0
    return cell, inside & visible & (valid_from.flatten(1) > 0)


def supervise(
    net: MatcherNet,
    batch: dict[str, Tensor],
    generator: torch.Generator,
    *,
    fine_points: int = 64,
    fine_weight: float = 0.5,
) -> PairFigures:
    """Run the network on a batch of ``PairDataset`` items and compare with the truth.

    Args:
        net: the network.
        batch: collated items, on the network's device.
        generator: CPU generator for the sampled fine points and the position offset.
        fine_points: fine positions supervised per pair.
        fine_weight: of the fine loss.
    """
    reference, current = batch["reference"], batch["current"]
    homography = batch["homography"].float()
    inverse = torch.linalg.inv(batch["homography"]).float()
    rows, columns = reference.shape[2] // COARSE_STRIDE, reference.shape[3] // COARSE_STRIDE
    offset = torch.randint(0, 32, (2,), generator=generator).tolist()
    tokens, fine = net.encode(torch.cat([reference, current]), (offset[0], offset[1]))
    tokens_reference, tokens_current = tokens.chunk(2)
    fine_reference, fine_current = fine.chunk(2)

    similarity = net.similarity(tokens_reference, tokens_current)
    forward, forward_valid = _true_cells(
        homography, batch["reference_valid"], batch["current_valid"]
    )
    backward, backward_valid = _true_cells(
        inverse, batch["current_valid"], batch["reference_valid"]
    )
    coarse_loss = 0.5 * (
        _cross_entropy(similarity, forward, forward_valid)
        + _cross_entropy(similarity.transpose(1, 2), backward, backward_valid)
    )
    with torch.no_grad():
        best = similarity.argmax(dim=2)
        dx = (best % columns - forward % columns).abs()
        dy = (best // columns - forward // columns).abs()
        near = ((dx <= 1) & (dy <= 1))[forward_valid].float().mean()
        exact = (best == forward)[forward_valid].float().mean()

    picked_pair, picked_cell = _pick(forward_valid, fine_points, generator)
    fine_loss, fine_error = _fine(
        net.fine_scale(),
        fine_reference,
        fine_current,
        homography,
        picked_pair,
        picked_cell,
        forward[picked_pair, picked_cell],
        (rows, columns),
        generator,
    )
    return PairFigures(
        coarse_loss + fine_weight * fine_loss, coarse_loss, fine_loss, near, exact, fine_error
    )


def _cross_entropy(similarity: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    return F.cross_entropy(similarity[valid], target[valid])


def _pick(valid: Tensor, per_pair: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random valid cells: pair numbers and cell numbers, each int64 [N]."""
    rank = torch.rand(valid.shape, generator=generator).to(valid.device)
    rank = torch.where(valid, rank, torch.full_like(rank, 2.0))
    order = rank.argsort(dim=1)[:, :per_pair]
    chosen = valid.gather(1, order)
    pair = torch.arange(len(valid), device=valid.device)[:, None].expand_as(order)
    return pair[chosen], order[chosen]


def _fine(
    scale: Tensor,
    fine_reference: Tensor,
    fine_current: Tensor,
    homography: Tensor,
    pair: Tensor,
    cell: Tensor,
    matched_cell: Tensor,
    cells: tuple[int, int],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Cross entropy of the fine window for random points inside the picked cells.

    The window lies around the matched cell's centre, moved by the point's own offset from its
    cell's centre, exactly as the runtime does it.
    """
    device = cell.device
    centres = cell_centres(*cells, device)
    jitter = torch.rand(len(cell), 2, generator=generator).to(device)
    offset = (jitter - 0.5) * COARSE_STRIDE
    point = centres[cell] + offset
    truth = torch.matmul(F.pad(point, (0, 1), value=1.0)[:, None], homography[pair].mT)[:, 0]
    truth = truth[:, :2] / truth[:, 2:].clamp(min=1e-6)

    half = (FINE_WINDOW - 1) / 2
    start = (centres[matched_cell] + offset - (FINE_STRIDE - 1) / 2) / FINE_STRIDE - half
    start = torch.round(start).long()
    target = (truth - (FINE_STRIDE - 1) / 2) / FINE_STRIDE - start
    inside = ((target >= 0) & (target <= FINE_WINDOW - 1)).all(dim=1)
    if not bool(inside.any()):
        zero = fine_reference.sum() * 0.0
        return zero, zero.detach()
    pair, point, start, target = pair[inside], point[inside], start[inside], target[inside]

    descriptor = _sample(fine_reference, pair, (point - (FINE_STRIDE - 1) / 2) / FINE_STRIDE)
    window = _window(fine_current, pair, start)
    logits = scale * torch.einsum("nc,nkc->nk", descriptor, window)

    low = target.floor().clamp(max=FINE_WINDOW - 2)
    fraction = target - low
    column, row = low.long().unbind(1)
    fx, fy = fraction.unbind(1)
    log_probability = F.log_softmax(logits, dim=1)
    loss = logits.new_zeros(())
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            bin_number = (row + dy) * FINE_WINDOW + column + dx
            loss = loss - (wy * wx * log_probability.gather(1, bin_number[:, None])[:, 0]).mean()
    with torch.no_grad():
        estimate = _local_expectation(log_probability.exp())
        error = (estimate - target).norm(dim=1).median() * FINE_STRIDE
    return loss, error


def _sample(features: Tensor, pair: Tensor, at: Tensor) -> Tensor:
    """Bilinear samples [N, C] of features [B, C, H, W] at (x, y) [N, 2], clamped to the map."""
    height, width = features.shape[2:]
    limit = at.new_tensor([width - 1, height - 1])
    at = torch.minimum(at.clamp(min=0), limit)
    low = torch.minimum(at.floor(), limit - 1).clamp(min=0)
    fx, fy = (at - low).unbind(1)
    x, y = low.long().unbind(1)
    total = 0.0
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            total = total + (wy * wx)[:, None] * features[pair, :, y + dy, x + dx]
    return F.normalize(total, dim=1, eps=1e-4)


def _window(features: Tensor, pair: Tensor, start: Tensor) -> Tensor:
    """Squares of features [N, FINE_WINDOW ** 2, C]; outside the map they are zero."""
    pad = 2 * FINE_WINDOW
    padded = F.pad(features, (pad, pad, pad, pad))
    step = torch.arange(FINE_WINDOW, device=start.device)
    x = (start[:, 0, None, None] + pad + step).clamp(0, padded.shape[3] - 1)
    y = (start[:, 1, None, None] + pad + step[:, None]).clamp(0, padded.shape[2] - 1)
    return padded[pair[:, None, None], :, y, x].flatten(1, 2)


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
