"""What a network of a given shape costs, without weights."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from coarse_loftr_lab.network.config import MatcherConfig
from coarse_loftr_lab.network.matcher_net import MatcherNet

__all__ = ["network_macs", "network_parameters"]


def network_macs(config: MatcherConfig, size: tuple[int, int]) -> int:
    """Multiplications with addition of one frame: encode an image, match it with the last.

    Args:
        config: shape of the network.
        size: (width, height) of the image that it sees, multiples of 32.
    """
    width, height = size
    net = MatcherNet(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        tokens, _ = net.encode(torch.zeros(1, 1, height, width))
        net.match(tokens, tokens)
    return counter.get_total_flops() // 2


def network_parameters(config: MatcherConfig) -> int:
    """Values in weights, biases and norms' scales."""
    with torch.device("meta"):
        return sum(value.numel() for value in MatcherNet(config).parameters())
