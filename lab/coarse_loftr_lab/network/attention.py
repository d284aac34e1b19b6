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
    query: Tensor,
    key: Tensor,
    value: Tensor,
    same_head: Tensor,
    eps: float = 1e-6,
    scale: float | None = None,
) -> Tensor:
    """Attention with the kernel elu(x) + 1, linear in the number of tokens.

    Heads are not split: ``K^T V`` is one product of all channels, of which ``same_head`` keeps
    what belongs together. That is more arithmetic than a product per head, and less time, because
    tokens are never transposed.

    Args:
        query: [B, L, C], the channels of one head after those of another.
        key: [B, S, C].
        value: [B, S, C].
        same_head: float [C, C], 1 where both channels are of one head, else 0.
        eps: keeps the normaliser from zero.
        scale: of the sums over S; it cancels out. ``None`` is 1 / S: means instead of sums are
            small enough for half precision.

    Returns:
        [B, L, C].
    """
    if scale is None:
        scale = 1.0 / key.shape[1]
    q = F.elu(query) + 1.0
    k = (F.elu(key) + 1.0) * scale
    context = torch.matmul(k.transpose(1, 2), value) * same_head
    total = k.sum(dim=1).unsqueeze(2) * same_head
    return torch.matmul(q, context) / (torch.matmul(q, total) + eps * scale)


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
        head = torch.arange(attention) // (attention // heads)
        self.register_buffer("same_head", (head[:, None] == head).float(), persistent=False)
        # Of sums over tokens; a constant for a runtime that cannot divide by their number.
        self.sum_scale: float | None = None

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        """Update ``x`` [B, L, C] with what it finds in ``source`` [B, S, C]."""
        message = linear_attention(
            self.q_proj(x),
            self.k_proj(source),
            self.v_proj(source),
            self.same_head,
            scale=self.sum_scale,
        )
        message = self.norm1(self.merge(message))
        # Counted from the end: torch-pruning then knows that channels are joined.
        message = self.norm2(self.mlp(torch.cat([x, message], dim=-1)))
        return x + message
