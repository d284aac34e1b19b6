"""Sinusoidal position encoding of the LoFTR family."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["sine_position_encoding"]


def sine_position_encoding(
    channels: int, height: int, width: int, *, published_frequencies: bool = False
) -> Tensor:
    """Encode each cell's position, counted from 1, with sines and cosines of x and y.

    Args:
        channels: width of the tokens; must be divisible by 4.
        height: rows of cells.
        width: columns of cells.
        published_frequencies: use the frequencies of the first LoFTR release, whose exponent
            lost a pair of brackets; checkpoints trained with them need them.

    Returns:
        float32 [channels, height, width].

    Raises:
        ValueError: when ``channels`` is not a multiple of 4.
    """
    if channels % 4:
        raise ValueError(f"position encoding has {channels} channels; it needs a multiple of 4")
    index = torch.arange(0, channels // 2, 2, dtype=torch.float32)
    if published_frequencies:
        frequency = torch.exp(index * (-math.log(10000.0) / channels // 2))
    else:
        frequency = torch.exp(index * (-math.log(10000.0) / (channels // 2)))
    x = torch.arange(1, width + 1, dtype=torch.float32)[None, None, :] * frequency[:, None, None]
    y = torch.arange(1, height + 1, dtype=torch.float32)[None, :, None] * frequency[:, None, None]
    encoding = torch.zeros(channels, height, width)
    encoding[0::4] = torch.sin(x)
    encoding[1::4] = torch.cos(x)
    encoding[2::4] = torch.sin(y)
    encoding[3::4] = torch.cos(y)
    return encoding
