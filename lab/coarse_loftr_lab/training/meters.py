"""Means of what the steps measured, kept on the device: a GPU is not stopped at every step."""

from __future__ import annotations

import torch
from torch import Tensor

from coarse_loftr_lab.training.distributed import Processes

__all__ = ["Meters"]


class Meters:
    """Sums since they were last taken, and the first step whose loss was not finite.

    Args:
        device: of the figures.
    """

    def __init__(self, device: torch.device) -> None:
        self._sums: dict[str, Tensor] = {}
        self._never = torch.tensor(torch.inf, device=device)
        self._first_bad = self._never

    def add(self, figures: dict[str, Tensor]) -> None:
        """Take figures of a step, or of a part of it, in; those that are not finite are left out
        of the means."""  # noqa: D205, D209
        for name, value in figures.items():
            value = value.detach().to(self._never.device, torch.float64)
            finite = torch.isfinite(value)
            entry = torch.stack([torch.where(finite, value, 0.0), finite.double()])
            self._sums[name] = self._sums.get(name, 0.0) + entry

    def watch(self, value: Tensor, step: int) -> None:
        """Remember the step if the value is not finite."""
        bad = torch.where(torch.isfinite(value.detach()), self._never, float(step))
        self._first_bad = torch.minimum(self._first_bad, bad)

    def check(self, batch: int) -> None:
        """Stop a run whose weights are spoilt, before they are saved.

        Raises:
            FloatingPointError: naming the step and its pairs.
        """
        first = float(self._first_bad)
        if first != torch.inf:
            step = int(first)
            raise FloatingPointError(
                f"loss or gradient was not finite at step {step + 1} (pairs {step * batch} to "
                f"{(step + 1) * batch - 1}); last.pt is from before it. Resume with a lower "
                "learning_rate, or with amp: off if it was on"
            )

    def take(self, processes: Processes) -> dict[str, float]:
        """Means over all processes since the last call."""
        names = sorted(self._sums)
        sums = processes.mean(torch.stack([self._sums[name] for name in names]))
        self._sums = {}
        means = (sums[:, 0] / sums[:, 1]).tolist()
        return dict(zip(names, means, strict=True))
