"""Structured pruning: whole channels go, and every layer that they touch is made smaller with them.

The library torch-pruning (Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023)
traces which layers share channels: residual sums, the pyramid's sums, joined tensors, heads, the
position encoding that is added to the tokens. Here its groups are ranked and cut, and the network
is made anew from the channel counts that are left.
"""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from coarse_loftr_lab.network.config import InnerChannels, MatcherConfig
from coarse_loftr_lab.network.cost import network_macs
from coarse_loftr_lab.network.matcher_net import MatcherNet

if TYPE_CHECKING:
    import torch_pruning

__all__ = ["CRITERIA", "ChannelGroup", "Pruner"]

CRITERIA = ("l1", "bn", "taylor")
"""What a channel is judged by: weights, batch norms' scales, or what the loss would lose."""

_POSITIONS = ("position_x", "position_y")


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only go together, one of each of its layers at a time.

    Attributes:
        layers: those that make the channels.
        channels: how many there were.
        kept: which of them are left, rising.
    """

    layers: tuple[str, ...]
    channels: int
    kept: tuple[int, ...]


class Pruner:
    """Ranks the channels of a network once, and cuts copies of it at any threshold.

    Args:
        net: stays as it is. For ``taylor`` its parameters hold the gradients of a loss.
        criterion: one of ``CRITERIA``.
        multiple: counts that are left are multiples of it, of which at least one; what is there
            by less than one stays.

    Raises:
        ValueError: for another criterion, a multiple below 1, or where no channel can be judged.
    """

    def __init__(self, net: MatcherNet, criterion: str = "l1", multiple: int = 8) -> None:
        if criterion not in CRITERIA:
            raise ValueError(f"criterion is {criterion!r}; it must be one of {', '.join(CRITERIA)}")
        if multiple < 1:
            raise ValueError(f"multiple is {multiple}; it must be at least 1")
        self.net, self.multiple = net, multiple
        graph = _Traced(net)
        importance = _importance(criterion)
        self._groups = [
            found
            for group in graph.groups()
            if (found := _Ranked.of(graph, group, importance(group))) is not None
        ]
        if not any(bool(group.scores.std() > 0) for group in self._groups):
            raise ValueError(
                f"criterion {criterion}: no channel differs from another; the batch norms of an "
                "exported model are folded into its convolutions: give calibration images"
            )

    def cut(self, threshold: float) -> tuple[MatcherNet, list[ChannelGroup]]:
        """A copy without the channels whose importance is below a share of their group's mean.

        Raises:
            ValueError: when a group would be left without any.
        """
        for group in self._groups:
            most = float(group.scores.max())
            if not most >= threshold:
                raise ValueError(
                    f"threshold {threshold:g} leaves no channel of {', '.join(group.layers)}: the "
                    f"most important has {most:.3g} times the mean; the threshold must be at most "
                    "that"
                )
        return self._cut([group.kept(threshold, self.multiple) for group in self._groups])

    def cut_to(
        self, share: float, size: tuple[int, int]
    ) -> tuple[MatcherNet, list[ChannelGroup], float]:
        """The largest copy that needs at most a share of the multiplications.

        Args:
            share: of those of the whole network for one frame, between 0 and 1.
            size: (width, height) of the image that the network sees.

        Returns:
            The network, its groups, and the threshold that this came to.

        Raises:
            ValueError: when the share is not within 0 and 1, or less than the least network's.
        """
        if not 0.0 < share < 1.0:
            raise ValueError(f"share of multiplications is {share:g}; it must be within 0 and 1")
        whole = network_macs(self.net.config, size)

        def made(threshold: float) -> tuple[MatcherNet, list[ChannelGroup]]:
            return self._cut([group.kept(threshold, self.multiple) for group in self._groups])

        def above(threshold: float) -> float:
            return share - network_macs(made(threshold)[0].config, size) / whole

        scores = torch.cat([group.scores for group in self._groups]).unique().tolist()
        # Just above each score: the channel that has it goes.
        thresholds = [0.0, *(score * (1 + 1e-6) for score in scores)]
        if above(thresholds[-1]) < 0:
            least = share - above(thresholds[-1])
            raise ValueError(
                f"share of multiplications is {share:g}; {self.multiple} channel(s) of each "
                f"kind need {least:.3f}"
            )
        threshold = thresholds[bisect_left(thresholds, 0.0, key=above)]
        return *made(threshold), threshold

    def _cut(self, kept: Sequence[tuple[int, ...]]) -> tuple[MatcherNet, list[ChannelGroup]]:
        graph = _Traced(self.net)
        for group, channels in zip(self._groups, kept, strict=True):
            graph.prune(group.root, sorted(set(range(len(group.scores))) - set(channels)))
        net = MatcherNet(graph.config(self._positions(kept)))
        net.load_state_dict(graph.state())
        made = [
            ChannelGroup(group.layers, len(group.scores), channels)
            for group, channels in zip(self._groups, kept, strict=True)
        ]
        return net.train(self.net.training), made

    def _positions(self, kept: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        """Channels of the position encoding that the tokens still have."""
        before = self.net.config.inner().positions
        for group, channels in zip(self._groups, kept, strict=True):
            if group.positioned:
                return tuple(before[channel] for channel in channels)
        return before


@dataclass(frozen=True, eq=False)
class _Ranked:
    """A group with the importance of its channels, relative to their mean.

    Attributes:
        root: name of the layer by which the library finds the group.
        layers: that make the channels.
        scores: float32 [channels].
        heads: into which the channels are divided, all of which keep as many, in the same places.
        positioned: whether the position encoding is among what they touch.
    """

    root: str
    layers: tuple[str, ...]
    scores: Tensor
    heads: int
    positioned: bool

    @classmethod
    def of(cls, graph: _Traced, group: Any, importance: Tensor | None) -> _Ranked | None:
        """None where the criterion says nothing about the group."""
        if importance is None:
            return None
        touched = [item.dep.target.module for item in group]
        made = [
            graph.names[item.dep.target.module]
            for item in group
            if item.dep.target.module in graph.names
            and "out_channels" in item.dep.handler.__name__
            and isinstance(item.dep.target.module, nn.Conv2d | nn.Linear)
        ]
        heads = graph.net.config.heads if any(n.endswith("k_proj") for n in made) else 1
        scores = importance.nan_to_num(0.0)
        if heads > 1:
            scores = scores.unflatten(0, (heads, -1)).mean(0).repeat(heads)
        positioned = any(module is graph.net.position_x for module in touched)
        root = graph.names[group[0].dep.target.module]
        return cls(root, tuple(sorted(made)), scores, heads, positioned)

    def kept(self, threshold: float, multiple: int) -> tuple[int, ...]:
        """The most important channels, at least those that reach the threshold."""
        each = len(self.scores) // self.heads
        scores = self.scores[:each]
        step = max(1, multiple // self.heads)
        count = int((scores >= threshold).sum())
        count = min(each, max(1, -(-count // step)) * step)
        best = scores.argsort(descending=True, stable=True)[:count].sort().values.tolist()
        return tuple(head * each + channel for head in range(self.heads) for channel in best)


class _Traced:
    """A copy of a network that torch-pruning may cut."""

    def __init__(self, net: MatcherNet) -> None:
        import torch_pruning as tp

        self._tp = tp
        self.net = copy.deepcopy(net).eval().requires_grad_(True)
        for ours, theirs in zip(self.net.parameters(), net.parameters(), strict=True):
            ours.grad = theirs.grad
        for name in _POSITIONS:  # the library cuts parameters
            table = getattr(self.net, name)
            delattr(self.net, name)
            setattr(self.net, name, nn.Parameter(table))
        self.names = {module: name for name, module in self.net.named_modules()}
        self._graph = tp.DependencyGraph().build_dependency(
            self.net,
            torch.rand(1, 1, 64, 96),
            forward_fn=_everything,
            unwrapped_parameters=[(getattr(self.net, name), 1) for name in _POSITIONS],
            ignored_params=[self.net.log_scale, self.net.log_fine_scale],
            verbose=False,
        )

    def groups(self) -> list[torch_pruning.Group]:
        """What can only be cut together, with all channels."""
        return list(self._graph.get_all_groups())

    def prune(self, root: str, channels: list[int]) -> None:
        """Cut these channels of a layer, and all that depends on them."""
        if not channels:
            return
        layer = self.net.get_submodule(root)
        handler = self._graph.get_pruner_of_module(layer).prune_out_channels
        self._graph.get_pruning_group(layer, handler, channels).prune()

    def state(self) -> dict[str, Tensor]:
        """The weights that are left, without the position encoding, which a network computes."""
        return {k: v for k, v in self.net.state_dict().items() if k not in _POSITIONS}

    def config(self, positions: tuple[int, ...]) -> MatcherConfig:
        """The channel counts that are left."""
        net = self.net
        stages = (net.stage4, net.stage8, net.stage16, net.stage32)
        layers = (*net.self_layers, *net.cross_layers)
        first = net.config
        return MatcherConfig(
            stage_channels=tuple(stage[0][0].out_channels for stage in stages),
            stage_blocks=first.stage_blocks,
            token_channels=net.token.out_channels,
            heads=first.heads,
            self_layers=first.self_layers,
            cross_layers=first.cross_layers,
            fine_channels=net.fine.out_channels,
            pruned=InnerChannels(
                blocks=tuple(b.conv1[0].out_channels for stage in stages for b in [*stage][1:]),
                lateral=net.lateral16.out_channels,
                merged=net.merge16[0].out_channels,
                attention=tuple(layer.k_proj.out_features for layer in layers),
                message=tuple(layer.merge.out_features for layer in layers),
                hidden=tuple(layer.mlp[0].out_features for layer in layers),
                descriptor=net.descriptor.out_features,
                fine=net.fine.in_channels,
                encoding=first.inner().encoding,
                positions=positions,
            ),
        )


def _everything(net: MatcherNet, image: Tensor) -> tuple[Tensor, Tensor]:
    """All layers on one image, for tracing."""
    tokens, fine = net.encode(image)
    return net.similarity(tokens, tokens), fine


def _importance(criterion: str) -> Any:
    """The library's measure of a group's channels, relative to their mean."""
    import torch_pruning as tp

    if criterion == "l1":
        return tp.importance.GroupMagnitudeImportance(p=1)
    if criterion == "bn":
        return tp.importance.BNScaleImportance()
    return tp.importance.GroupTaylorImportance()
