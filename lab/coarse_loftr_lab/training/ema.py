"""A moving average of the weights: steadier than the weights of any one step."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

__all__ = ["MovingAverage"]


class MovingAverage:
    """Exponential moving average of a network's weights and of its batch norms' statistics.

    The decay rises as ``(1 + n) / (10 + n)`` up to its final value over the updates ``n``, so
    that the random weights of the start are soon forgotten.

    Args:
        net: the network that is trained.
        decay: share that is kept at each update; 0 copies the network exactly.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take one step's weights in."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        ours = [*self.net.parameters(), *self.net.buffers()]
        theirs = [*net.parameters(), *net.buffers()]
        pairs = list(zip(ours, theirs, strict=True))
        smooth = [(a, b.detach()) for a, b in pairs if a.is_floating_point()]
        averages, values = map(list, zip(*smooth, strict=True))
        torch._foreach_lerp_(averages, values, 1.0 - decay)
        for count, value in pairs:
            if not count.is_floating_point():
                count.copy_(value)

    def load(self, weights: dict[str, Tensor], updates: int) -> None:
        """Go on from a checkpoint."""
        self.net.load_state_dict(weights)
        self.updates = updates
