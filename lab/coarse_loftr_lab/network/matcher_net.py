"""The project's own coarse-to-fine network: encode one image, match two sets of features.

A member of the LoFTR family (Sun et al., CVPR 2021) made for CPUs and small GPUs: a convolutional
pyramid from 1/4 to 1/32, tokens at 1/16, linear-attention self and cross layers, a dual softmax
over cosine similarities, and 1/4-resolution features whose correlation gives sub-cell positions.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coarse_loftr_lab.network.attention import AttentionLayer
from coarse_loftr_lab.network.config import MatcherConfig
from coarse_loftr_lab.network.position import sine_position_encoding

__all__ = [
    "COARSE_STRIDE",
    "FINE_STRIDE",
    "SIZE_MULTIPLE",
    "MatcherConfig",
    "MatcherNet",
    "dual_softmax",
]

COARSE_STRIDE = 16
FINE_STRIDE = 4
SIZE_MULTIPLE = 32
_MAX_CELLS = 128  # position encoding table: images up to 2048 px a side


def _conv(in_channels: int, channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels, inner)
        self.conv2 = nn.Sequential(
            nn.Conv2d(inner, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )
        # A new block is the identity (Goyal et al., 2017), so a deeper network can start from a
        # shallower one's weights.
        nn.init.zeros_(self.conv2[1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(self.conv1(x)))


class _Stage(nn.Sequential):
    def __init__(
        self, in_channels: int, channels: int, stride: int, blocks: int, inner: Iterator[int]
    ) -> None:
        super().__init__(
            _conv(in_channels, channels, stride),
            *(_Residual(channels, next(inner)) for _ in range(blocks)),
        )


class MatcherNet(nn.Module):
    """Coarse-to-fine matcher for grey images whose sides are multiples of 32.

    Args:
        config: channels and layers.
    """

    def __init__(self, config: MatcherConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MatcherConfig()
        inner = config.inner()
        c4, c8, c16, c32 = config.stage_channels
        b4, b8, b16, b32 = config.stage_blocks
        blocks = iter(inner.blocks)
        self.unshuffle = nn.PixelUnshuffle(FINE_STRIDE)
        self.stage4 = _Stage(FINE_STRIDE**2, c4, 1, b4, blocks)
        self.stage8 = _Stage(c4, c8, 2, b8, blocks)
        self.stage16 = _Stage(c8, c16, 2, b16, blocks)
        self.stage32 = _Stage(c16, c32, 2, b32, blocks)
        self.lateral16 = nn.Conv2d(c16, inner.lateral, 1)
        self.lateral32 = nn.Conv2d(c32, inner.lateral, 1)
        self.merge16 = _conv(inner.lateral, inner.merged)
        self.token = nn.Conv2d(inner.merged, config.token_channels, 1)
        self.lateral8 = nn.Conv2d(c8, inner.fine, 1)
        self.lateral4 = nn.Conv2d(c4, inner.fine, 1)
        self.fine_context = nn.Conv2d(c16, inner.fine, 1, bias=False)
        nn.init.zeros_(self.fine_context.weight)
        self.fine = nn.Conv2d(inner.fine, config.fine_channels, 1)
        layers = [
            AttentionLayer(config.token_channels, config.heads, *widths)
            for widths in zip(inner.attention, inner.message, inner.hidden, strict=True)
        ]
        self.self_layers = nn.ModuleList(layers[: config.self_layers])
        self.cross_layers = nn.ModuleList(layers[config.self_layers :])
        for layer in (*self.self_layers, *self.cross_layers):
            nn.init.zeros_(layer.norm2.weight)  # likewise
        self.descriptor = nn.Linear(config.token_channels, inner.descriptor)
        # Inverse temperature of the cosine similarities.
        self.log_scale = nn.Parameter(torch.tensor(2.5))
        self.log_fine_scale = nn.Parameter(torch.tensor(2.0))
        # Whether layers between images take both as one batch: half as many operations. ncnn has no
        # batches, and torch-pruning does not follow channels through their joining.
        self.both_at_once = True
        table = sine_position_encoding(inner.encoding, _MAX_CELLS, _MAX_CELLS)
        # Each channel depends on x or on y alone: one row and one column hold the whole table.
        is_x = (torch.arange(inner.encoding) % 4 < 2)[:, None, None]
        x, y = (table[:, :1] * is_x)[None], (table[:, :, :1] * ~is_x)[None]
        kept = list(inner.positions)
        self.register_buffer("position_x", x[:, kept], persistent=False)
        self.register_buffer("position_y", y[:, kept], persistent=False)

    def forward(
        self, reference: Tensor, current: Tensor, cell_offset: tuple[int, int] = (0, 0)
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Everything that training compares with the truth, in one call.

        Args:
            reference: float32 [B, 1, H, W] in [0, 1].
            current: float32 [B, 1, H, W].
            cell_offset: see ``encode``.

        Returns:
            Similarities [B, L, S], the fine features of both images
            [B, fine_channels, H/4, W/4], and the fine scale.
        """
        tokens, fine = self.encode(torch.cat([reference, current]), cell_offset)
        similarity = self.similarity(*tokens.chunk(2))
        return similarity, *fine.chunk(2), self.fine_scale()

    def encode(self, image: Tensor, cell_offset: tuple[int, int] = (0, 0)) -> tuple[Tensor, Tensor]:
        """Features of one image, computed once and kept with it.

        Brightness and contrast of the whole image are removed first.

        Args:
            image: float32 [B, 1, H, W] in [0, 1]; H and W multiples of 32.
            cell_offset: (x, y) added to the cell positions; training draws it at random, so that
                every position up to the largest image is seen.

        Returns:
            Coarse tokens [B, H/16 * W/16, token_channels] and fine features
            [B, fine_channels, H/4, W/4] of unit length per pixel.
        """
        mean = image.mean(dim=(2, 3), keepdim=True)
        centred = image - mean
        deviation = centred.square().mean(dim=(2, 3), keepdim=True).sqrt()
        x4 = self.stage4(self.unshuffle(centred / (deviation + 1e-3)))
        x8 = self.stage8(x4)
        x16 = self.stage16(x8)
        x32 = self.stage32(x16)

        merged = self.lateral16(x16) + F.interpolate(self.lateral32(x32), scale_factor=2.0)
        coarse = self.token(self.merge16(merged))
        dx, dy = cell_offset
        rows, columns = coarse.shape[2], coarse.shape[3]
        coarse = coarse + self.position_x[..., dx : dx + columns]
        coarse = coarse + self.position_y[..., dy : dy + rows, :]
        tokens = coarse.flatten(2).transpose(1, 2)
        for layer in self.self_layers:
            tokens = layer(tokens, tokens)

        fine8 = self.lateral8(x8) + F.interpolate(self.fine_context(x16), scale_factor=2.0)
        fine = self.lateral4(x4) + F.interpolate(fine8, scale_factor=2.0)
        fine = F.normalize(self.fine(F.relu(fine)), dim=1, eps=1e-4)
        return tokens, fine

    def similarity(self, reference: Tensor, current: Tensor) -> Tensor:
        """Scaled cosine similarities [B, L, S] of tokens [B, L, C] and [B, S, C].

        S is L where both are taken at once: of images of one size.
        """
        if self.both_at_once:
            both = torch.cat([reference, current])
            for layer in self.cross_layers:
                both = layer(both, torch.cat(both.chunk(2)[::-1]))
            a, b = _unit_length(self.descriptor(both)).chunk(2)
        else:
            for layer in self.cross_layers:
                reference, current = layer(reference, current), layer(current, reference)
            a, b = (_unit_length(self.descriptor(tokens)) for tokens in (reference, current))
        # Similarities reach 30: in half precision they would be off by several per cent.
        with torch.autocast(a.device.type, enabled=False):
            return torch.matmul(a.float() * self.scale(), b.float().transpose(1, 2))

    def scale(self) -> Tensor:
        """Inverse temperature of the coarse softmax, at most 30."""
        return self.log_scale.exp().clamp(max=30.0)

    def fine_scale(self) -> Tensor:
        """Inverse temperature of the fine softmax, at most 50."""
        return self.log_fine_scale.exp().clamp(max=50.0)

    def match(self, reference: Tensor, current: Tensor) -> tuple[Tensor, ...]:
        """What a dual softmax needs of two sets of tokens from ``encode``, in few passes.

        With ``weight = exp(similarity - scale)``, which is at most 1, the confidence of cells i
        and j is ``weight[i, j] ** 2 / (reference_sum[i] * current_sum[j])``, the product of both
        softmaxes. The shift is one constant because similarities are bounded by the scale, so the
        exponential is fused into the matrix product; the division is left to the consumer, who
        needs it for few pairs.

        Returns:
            Weight [B, L, S]; its sums over S [B, L] and over L [B, S]; its maxima over S [B, L]
            and over L [B, S].
        """
        weight = torch.exp(self.similarity(reference, current) - self.scale())
        return weight, weight.sum(2), weight.sum(1), weight.amax(2), weight.amax(1)


def _unit_length(tokens: Tensor) -> Tensor:
    """``F.normalize`` of tokens [B, L, C] over C, in operations that pnnx translates to ncnn."""
    return tokens / tokens.norm(dim=2, keepdim=True).clamp(min=1e-4)


def dual_softmax(weight: Tensor, reference_sum: Tensor, current_sum: Tensor) -> Tensor:
    """Confidence [B, L, S] of all pairs of cells, from what ``MatcherNet.match`` returns."""
    return (weight / reference_sum[:, :, None]) * (weight / current_sum[:, None, :])
