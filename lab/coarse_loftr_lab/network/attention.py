"""Linear attention layers of the LoFTR family.

Sources: "Transformers are RNNs: Fast Autoregressive Transformers with Linear Attention"
(Katharopoulos et al., ICML 2020) for the attention; "LoFTR: Detector-Free Local Feature Matching
with Transformers" (Sun et al., CVPR 2021) for the layer around it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["AttentionLayer", "linear_attention"]


def linear_attention(
    query: Tensor, key: Tensor, value: Tensor, eps: float = 1e-6, scale: float | None = None
) -> Tensor:
    """Attention with the kernel elu(x) + 1, linear in the number of tokens.

    Args:
        query: [B, heads, L, D].
        key: [B, heads, S, D].
        value: [B, heads, S, D].
        eps: keeps the normaliser from zero.
        scale: of the sums over S; it cancels out. ``None`` is 1 / S.

    Returns:
        [B, heads, L, D]. ``K^T V`` is one matrix product; the mean over S instead of the sum
        keeps both products small enough for half precision.
    """
    q = F.elu(query) + 1.0
    k = F.elu(key) + 1.0
    if scale is None:
        scale = 1.0 / key.shape[2]
        total = k.mean(dim=2)
    else:
        total = (k * scale).sum(dim=2)
    context = torch.matmul(k.transpose(2, 3) * scale, value)
    normaliser = torch.matmul(q, total.unsqueeze(3)) + eps * scale
    return torch.matmul(q, context) / normaliser


class AttentionLayer(nn.Module):
    """One LoFTR encoder layer: attention from ``source`` into ``x``, then a feed-forward part.

    Attribute names are those of the published checkpoints.

    Args:
        channels: width of the tokens.
        heads: attention heads.
        attention: width of queries, keys and values, all heads together, which must be divisible
            by ``heads``; by default that of the tokens.
        message: width of what attention passes to the feed-forward part; by default the same.
        hidden: width within the feed-forward part; by default twice that.
    """

    def __init__(
        self,
        channels: int,
        heads: int = 1,
        attention: int | None = None,
        message: int | None = None,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        attention, message = attention or channels, message or channels
        hidden = hidden or 2 * channels
        if attention % heads:
            raise ValueError(f"{attention} channels cannot be divided among {heads} heads")
        self.heads = heads
        self.q_proj = nn.Linear(channels, attention, bias=False)
        self.k_proj = nn.Linear(channels, attention, bias=False)
        self.v_proj = nn.Linear(channels, attention, bias=False)
        self.merge = nn.Linear(attention, message, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(channels + message, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels, bias=False),
        )
        self.norm1 = nn.LayerNorm(message, eps=1e-7)
        self.norm2 = nn.LayerNorm(channels, eps=1e-7)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        # Of sums over tokens; a constant for a runtime that cannot divide by their number.
        self.sum_scale: float | None = None

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        """Update ``x`` [B, L, C] with what it finds in ``source`` [B, S, C]."""
        message = linear_attention(
            self._split(self.q_proj(x)),
            self._split(self.k_proj(source)),
            self._split(self.v_proj(source)),
            scale=self.sum_scale,
        )
        message = message.transpose(1, 2).flatten(2)
        message = self.norm1(self.merge(message))
        # Counted from the end: torch-pruning then knows that channels are joined.
        message = self.norm2(self.mlp(torch.cat([x, message], dim=-1)))
        return x + message

    def _split(self, tokens: Tensor) -> Tensor:
        """[B, L, C] to [B, heads, L, C / heads]."""
        return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)
