"""One part of a training step: from pairs to the loss, in the precision that was asked for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from coarse_loftr_lab.training.distillation import distillation_loss
from coarse_loftr_lab.training.settings import DistillationSettings
from coarse_loftr_lab.training.supervision import PairFigures, supervise
from coarse_loftr_lab.training.teachers import Teacher
from coarse_loftr_lab.training.truth import PairBatch

__all__ = ["FIGURES", "MixedPrecision", "TrainingStep", "figures_of"]

FIGURES = (
    "loss",
    "coarse_loss",
    "fine_loss",
    "coarse_recall",
    "coarse_exact",
    "fine_error_px",
)
"""Measurements of ``PairFigures`` that are logged."""

_MOST_OFFSET = 32  # cells, as in supervision
_PRECISIONS = {"off": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class MixedPrecision(nn.Module):
    """A network computing in half precision; its answers, and with them all losses, in float32.

    Args:
        net: the network.
        amp: ``off``, ``bfloat16`` or ``float16``.
    """

    def __init__(self, net: nn.Module, amp: str) -> None:
        super().__init__()
        self.net = net
        self.dtype = _PRECISIONS[amp]

    def forward(
        self, reference: Tensor, current: Tensor, cell_offset: tuple[int, int] = (0, 0)
    ) -> tuple[Tensor, ...]:
        """As the network's own."""
        half = self.dtype is not None
        with torch.autocast(reference.device.type, self.dtype or torch.bfloat16, enabled=half):
            answers = self.net(reference, current, cell_offset)
        return tuple(answer.float() for answer in answers)


class TrainingStep(nn.Module):
    """The loss of some pairs, as one module, so that several processes can share its gradients.

    Args:
        net: the network that is trained.
        amp: precision of the network.
        distillation: weights and temperature, when there is a teacher.
        teacher: what the network learns from beside the truth.
    """

    def __init__(
        self,
        net: nn.Module,
        amp: str,
        distillation: DistillationSettings | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__()
        self.net = MixedPrecision(net, amp)
        self._distillation = distillation
        self._teacher = teacher

    def forward(
        self, batch: PairBatch, generator: torch.Generator, first_pair: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and what is logged: means over the pairs, without a gradient.

        Args:
            batch: some of a step's pairs.
            generator: on the CPU, in the same state for all parts of the step.
            first_pair: number within the step of the first of them.
        """
        if self._distillation is None or self._teacher is None:
            result = supervise(self.net, batch, generator, first_pair=first_pair)
            return result.loss, figures_of(result)
        weight = self._distillation.ground_truth_weight
        if weight > 0:
            result = supervise(self.net, batch, generator, first_pair=first_pair)
            similarity, supervised, figures = result.similarity, result.loss, figures_of(result)
        else:
            x, y = torch.randint(0, _MOST_OFFSET, (2,), generator=generator).tolist()
            similarity = self.net(batch.reference, batch.current, (x, y))[0]
            supervised, figures = 0.0, {}
        confidence = self._teacher(batch.reference, batch.current)
        distilled = distillation_loss(similarity, confidence, self._distillation.temperature)
        loss = weight * supervised + (1.0 - weight) * distilled
        return loss, {**figures, "loss": loss.detach(), "distillation": distilled.detach()}


def figures_of(result: PairFigures) -> dict[str, Tensor]:
    """The measurements that are logged."""
    return {name: getattr(result, name).detach() for name in FIGURES}
