"""Distillation: the network learns to be as sure of each pair of cells as a teacher is.

Coarse LoFTR (Kolodiazhnyi, "Local Feature Matching with Transformers for low-end devices", 2022;
``train/trainer.py`` of Kolkir/Coarse_LoFTR_TRT) lets a student of 16 px cells learn from LoFTR's
8 px cells. Its loss is

    0.3 * L(truth, C_s)  +  0.7 * 10 * T^2 * KL( softmax(S_t / T) || softmax(S_s / T) ),  T = 5

with the student's and the teacher's similarities ``S`` (the softmax is over all pairs of cells of
an image pair, the teacher's taken at every second cell) and the student's confidences ``C_s``.

Here the confidences themselves are compared, because similarities mean something else in each
network while ``C = softmax(S, rows) * softmax(S, columns)`` means the same in all of them, and
is what an ONNX graph gives away. With ``q = C^(1/T) / sum C^(1/T)`` over all pairs of cells

    loss = w * L(truth)  +  (1 - w) * T^2 * KL( q_t || q_s ),

the same form with ``log C`` in place of ``S`` (for T = 1 and one-sided softmaxes they agree). The
factor 10, which made up for the flat softmax of small similarities, is not needed. A teacher with
smaller cells is summed over the pairs of its cells that make up a pair of ours: its points need
not lie on every second cell to be seen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["distillation_loss", "pooled_confidence"]


def distillation_loss(similarity: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean over the pairs of ``T^2 KL(q_t || q_s)``, in nats; see the module.

    Args:
        similarity: the student's [B, L, S], before its softmaxes.
        teacher: the teacher's confidences [B, L, S] in [0, 1].
        temperature: T.
    """
    student = F.log_softmax(similarity, dim=1) + F.log_softmax(similarity, dim=2)
    student = F.log_softmax(student.flatten(1) / temperature, dim=1)
    softened = teacher.flatten(1).clamp(min=0.0) ** (1.0 / temperature)
    target = softened / softened.sum(dim=1, keepdim=True).clamp(min=1e-12)
    divergence = torch.xlogy(target, target) - target * student
    return temperature**2 * divergence.sum(dim=1).mean()


def pooled_confidence(
    confidence: Tensor, reference_cells: tuple[int, int], current_cells: tuple[int, int], by: int
) -> Tensor:
    """Confidences of smaller cells summed up to those of ``by`` times larger ones.

    Args:
        confidence: [B, L, S] of row-major cells.
        reference_cells: (rows, columns) of the L cells, multiples of ``by``.
        current_cells: (rows, columns) of the S cells, multiples of ``by``.
        by: small cells along a side of a large one.

    Returns:
        [B, L / by^2, S / by^2], at most 1.
    """
    if by == 1:
        return confidence
    (r, c), (y, x) = reference_cells, current_cells
    shape = (-1, r // by, by, c // by, by, y // by, by, x // by, by)
    pooled = confidence.reshape(shape).sum(dim=(2, 4, 6, 8))
    return pooled.flatten(3, 4).flatten(1, 2).clamp(max=1.0)
