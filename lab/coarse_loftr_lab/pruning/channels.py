"""Structured pruning: whole channels go, the least important of each group that shares them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from coarse_loftr_lab.network.cost import network_macs
from coarse_loftr_lab.network.matcher_net import MatcherNet
from coarse_loftr_lab.pruning.dependencies import TracedNetwork

__all__ = ["CRITERIA", "ChannelGroup", "Pruner"]

CRITERIA = ("l1", "bn", "taylor")
"""What a channel is judged by: weights, batch norms' scales, or what the loss would lose."""


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
        keep: layers whose channels all stay, by their names, with all that goes with them.

    Raises:
        ValueError: for another criterion, a multiple below 1, a layer that makes no channels, or
            where no channel can be judged.
    """

    def __init__(
        self,
        net: MatcherNet,
        criterion: str = "l1",
        multiple: int = 8,
        keep: Sequence[str] = (),
    ) -> None:
        if criterion not in CRITERIA:
            raise ValueError(f"criterion is {criterion!r}; it must be one of {', '.join(CRITERIA)}")
        if multiple < 1:
            raise ValueError(f"multiple is {multiple}; it must be at least 1")
        self.net, self.multiple = net, multiple
        graph = TracedNetwork(net)
        importance = _importance(criterion)
        self._groups = [
            found
            for group in graph.groups()
            if (found := _Ranked.of(graph, group, importance(group))) is not None
        ]
        layers = {layer for group in self._groups for layer in group.layers}
        for name in keep:
            if name not in layers:
                raise ValueError(
                    f"there is no layer {name} to keep; it must be one of "
                    f"{', '.join(sorted(layers))}"
                )
        self._groups = [group for group in self._groups if not set(group.layers) & set(keep)]
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
        graph = TracedNetwork(self.net)
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
    def of(cls, graph: TracedNetwork, group: Any, importance: Tensor | None) -> _Ranked | None:
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


def _importance(criterion: str) -> Any:
    """The library's measure of a group's channels, relative to their mean."""
    import torch_pruning as tp

    if criterion == "l1":
        return tp.importance.GroupMagnitudeImportance(p=1)
    if criterion == "bn":
        return tp.importance.BNScaleImportance()
    return tp.importance.GroupTaylorImportance()
