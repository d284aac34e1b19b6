"""The published Coarse LoFTR student (Kolodiazhnyi, "Local Feature Matching with Transformers
for low-end devices", 2022), rewritten with one matrix product per attention and loadable from
the project's own checkpoints. It serves as a baseline and as a teacher.
"""  # noqa: D205

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coarse_loftr_lab.network.attention import AttentionLayer
from coarse_loftr_lab.network.position import sine_position_encoding

__all__ = ["PublishedStudent", "StudentConfig"]


@dataclass(frozen=True)
class StudentConfig:
    """Shape of the network; the defaults are those of the published weights.

    Attributes:
        stem_channels: channels after the 7x7 stride-2 stem.
        block_channels: channels of each residual stage. The first stage keeps the stem's
            resolution, each further one halves it: 4 stages give a coarse stride of 16.
        heads: attention heads.
        layers: attention layers in order, each ``self`` or ``cross``.
        temperature: of the dual softmax.
    """

    stem_channels: int = 8
    block_channels: tuple[int, ...] = (8, 16, 32, 32)
    heads: int = 1
    layers: tuple[str, ...] = ("self", "cross", "self", "cross")
    temperature: float = 0.1

    def __post_init__(self) -> None:
        unknown = set(self.layers) - {"self", "cross"}
        if unknown:
            raise ValueError(f"layers are {sorted(unknown)}; each must be 'self' or 'cross'")

    @property
    def coarse_stride(self) -> int:
        """Pixels per coarse cell."""
        return 2 ** len(self.block_channels)


class _ResidualBlock(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.downsample(x) + self.bn2(self.conv2(y)))


class _Backbone(nn.Module):
    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, config.stem_channels, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(config.stem_channels)
        channels = config.stem_channels
        self.stages = len(config.block_channels)
        for number, width in enumerate(config.block_channels, start=1):
            stage = nn.Sequential(
                _ResidualBlock(channels, width, 1 if number == 1 else 2),
                _ResidualBlock(width, width, 1),
            )
            self.add_module(f"layer{number}", stage)
            channels = width
        self.add_module(f"layer{self.stages}_outconv", nn.Conv2d(channels, channels, 1, bias=False))

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(image)))
        for number in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return self.get_submodule(f"layer{self.stages}_outconv")(x)


class _CoarseTransformer(nn.Module):
    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.names = config.layers
        channels = config.block_channels[-1]
        self.layers = nn.ModuleList(AttentionLayer(channels, config.heads) for _ in config.layers)

    def forward(self, reference: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        for name, layer in zip(self.names, self.layers, strict=True):
            if name == "self":
                reference, current = layer(reference, reference), layer(current, current)
            else:
                # The published network updates one side first, the other from the result.
                reference = layer(reference, current)
                current = layer(current, reference)
        return reference, current


class PublishedStudent(nn.Module):
    """Coarse matching of two grey images; points lie on the corners of the coarse cells.

    Args:
        config: channels, layers, coarse stride.
    """

    def __init__(self, config: StudentConfig | None = None) -> None:
        super().__init__()
        self.config = config or StudentConfig()
        self.backbone = _Backbone(self.config)
        self.loftr_coarse = _CoarseTransformer(self.config)

    def encode(self, image: Tensor) -> Tensor:
        """Coarse tokens [B, L, C] of ``image`` float32 [B, 1, H, W] in [0, 1]."""
        features = self.backbone(image)
        encoding = sine_position_encoding(*features.shape[1:], published_frequencies=True)
        return (features + encoding.to(features)).flatten(2).transpose(1, 2)

    def match(self, reference: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        """Confidence and similarity, each [B, L, S], of two sets of tokens from ``encode``."""
        reference, current = self.loftr_coarse(reference, current)
        similarity = torch.matmul(reference, current.transpose(1, 2)) / reference.shape[2]
        logits = similarity / self.config.temperature
        return F.softmax(logits, 1) * F.softmax(logits, 2), similarity

    def forward(self, reference: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        """Confidence and similarity, each [B, L, S], of two images [B, 1, H, W] in [0, 1]."""
        return self.match(self.encode(reference), self.encode(current))

    @classmethod
    def from_checkpoint(cls, path: Path, config: StudentConfig | None = None) -> PublishedStudent:
        """Load weights in the published layout.

        The feature-pyramid branch of the published checkpoints is left out: coarse matching does
        not use it.

        Raises:
            ValueError: when the file holds no ``model_state_dict``.
            RuntimeError: when its weights do not fit ``config``.
        """
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if "model_state_dict" not in checkpoint:
            raise ValueError(f"{path} holds {sorted(checkpoint)}; expected a model_state_dict")
        model = cls(config)
        wanted = model.state_dict().keys()
        weights = checkpoint["model_state_dict"]
        pyramid = ("_outconv.", "_outconv2.")
        kept = {
            key: value
            for key, value in weights.items()
            if key in wanted or not any(part in key for part in pyramid)
        }
        model.load_state_dict(kept)
        return model.eval()
