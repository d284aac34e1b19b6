"""The shape of the project's network, and the channels that pruning left of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["InnerChannels", "MatcherConfig"]


@dataclass(frozen=True)
class InnerChannels:
    """Channels within a pruned network, where one number per layer no longer follows from another.

    Attributes:
        blocks: between the two convolutions of each residual block, in the order of the stages.
        lateral: of the sum of 1/16 and 1/32, before its convolution.
        merged: after that convolution.
        attention: of queries, keys and values, all heads together, of each attention layer;
            layers within one image come first.
        message: of what each attention layer passes to its feed-forward part.
        hidden: within the feed-forward part of each.
        descriptor: of the vectors whose cosines are compared.
        fine: of the sum of the features at 1/4, 1/8 and 1/16, before the last convolution.
        encoding: width of the position encoding that the tokens had before pruning.
        positions: which of its channels they still have.
    """

    blocks: tuple[int, ...]
    lateral: int
    merged: int
    attention: tuple[int, ...]
    message: tuple[int, ...]
    hidden: tuple[int, ...]
    descriptor: int
    fine: int
    encoding: int
    positions: tuple[int, ...]


@dataclass(frozen=True)
class MatcherConfig:
    """Shape of the network; the defaults are those of the shipped model ``fast``.

    Attributes:
        stage_channels: channels at 1/4, 1/8, 1/16 and 1/32 of the image.
        stage_blocks: residual blocks at each of these.
        token_channels: width of the coarse tokens; a multiple of 4 and of ``heads`` where nothing
            is pruned.
        heads: attention heads.
        self_layers: attention layers within one image; they belong to the encoder, so that
            they are computed once per image.
        cross_layers: attention layers between two images.
        fine_channels: width of the features at 1/4.
        pruned: channels within, where ``coarse-loftr prune`` made the network.
    """

    stage_channels: tuple[int, int, int, int] = (24, 32, 64, 96)
    stage_blocks: tuple[int, int, int, int] = (0, 1, 1, 1)
    token_channels: int = 48
    heads: int = 4
    self_layers: int = 1
    cross_layers: int = 1
    fine_channels: int = 16
    pruned: InnerChannels | None = None

    def __post_init__(self) -> None:
        if self.pruned is None:
            return
        layers = self.self_layers + self.cross_layers
        for name, expected in (
            ("blocks", sum(self.stage_blocks)),
            ("attention", layers),
            ("message", layers),
            ("hidden", layers),
            ("positions", self.token_channels),
        ):
            values = getattr(self.pruned, name)
            if len(values) != expected:
                raise ValueError(
                    f"network.pruned.{name} has {len(values)} values; this network needs {expected}"
                )
        outside = [k for k in self.pruned.positions if not 0 <= k < self.pruned.encoding]
        if outside:
            raise ValueError(
                f"network.pruned.positions holds {outside[0]}; it must be at least 0 and below the "
                f"width of the encoding, {self.pruned.encoding}"
            )

    def inner(self) -> InnerChannels:
        """The channels within the network: those that pruning left, or what the rest implies."""
        if self.pruned is not None:
            return self.pruned
        tokens, layers = self.token_channels, self.self_layers + self.cross_layers
        stages = zip(self.stage_channels, self.stage_blocks, strict=True)
        return InnerChannels(
            blocks=tuple(channels for channels, blocks in stages for _ in range(blocks)),
            lateral=tokens,
            merged=tokens,
            attention=(tokens,) * layers,
            message=(tokens,) * layers,
            hidden=(2 * tokens,) * layers,
            descriptor=tokens,
            fine=self.fine_channels,
            encoding=tokens,
            positions=tuple(range(tokens)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        values = asdict(self)
        if self.pruned is None:
            del values["pruned"]  # older versions do not know it
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MatcherConfig:
        """The inverse of ``to_dict``; lists become tuples."""
        made = _with_tuples(values)
        if made.get("pruned") is not None:
            made["pruned"] = InnerChannels(**_with_tuples(made["pruned"]))
        return cls(**made)


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
