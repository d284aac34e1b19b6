"""The first convolution as it is exported: it reads the image as it lies in memory.

The network takes 4x4 pixels to 16 channels and convolves these by 3x3. The same weights, in another
order, are a convolution by 12x3 with a stride of 4x1 of 4 channels, the pixels beside each other of
4 columns: an image [H, W] *is* [H, W / 4, 4], channels last, so that no pixel has to be moved.
Runtimes need a tenth of an encoder's time for moving them.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from coarse_loftr_lab.network.matcher_net import FINE_STRIDE, MatcherNet

__all__ = ["FIRST_CONVOLUTION", "of_blocks", "of_columns", "reading_columns"]

FIRST_CONVOLUTION = "stage4.0.0"
"""Name of its module."""


def of_columns(weight: Tensor) -> Tensor:
    """Weights [C, 16, 3, 3] of blocks of 4x4 pixels as those [C, 4, 12, 3] of 4 columns."""
    blocks = weight.unflatten(1, (FINE_STRIDE, FINE_STRIDE))  # [C, y, x, 3, 3]
    return blocks.permute(0, 2, 3, 1, 4).flatten(2, 3).contiguous()


def of_blocks(weight: Tensor) -> Tensor:
    """The inverse of ``of_columns``; weights that are of blocks stay as they are."""
    if weight.shape[1] != FINE_STRIDE:
        return weight
    columns = weight.unflatten(2, (-1, FINE_STRIDE))  # [C, x, 3, y, 3]
    return columns.permute(0, 3, 1, 2, 4).flatten(1, 2).contiguous()


class _Columns(nn.Module):
    """[B, 1, H, W] to [B, 4, H, W / 4]."""

    def forward(self, image: Tensor) -> Tensor:
        batch, _, height, width = image.shape
        columns = image.reshape(batch, height, width // FINE_STRIDE, FINE_STRIDE)
        return columns.permute(0, 3, 1, 2)


def reading_columns(net: MatcherNet) -> MatcherNet:
    """A copy of a network, in the same mode, that computes the same by such a convolution."""
    net = copy.deepcopy(net)
    net.unshuffle = _Columns()
    first = net.stage4[0]
    weight = of_columns(first[0].weight.detach())
    stride, padding = (FINE_STRIDE, 1), (FINE_STRIDE, 1)
    with torch.device("meta"):
        made = nn.Conv2d(*weight.shape[1::-1], weight.shape[2:], stride, padding, bias=False)
    made.weight = nn.Parameter(weight)
    first[0] = made
    return net
